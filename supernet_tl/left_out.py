"""What an image set does without, for the results of every verb that opens images."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from supernet_tl.data import ImageSet

MAX_LISTED = 1000
"""Skipped images that are listed; all are counted."""

_MAX_IGNORED_NAMED = 10


def left_out(images: ImageSet) -> dict[str, Any]:
    """Skipped images, classes left out and ignored files in plain JSON values; paths are relative to the set's root.

    Keys: ``num_skipped_images``; ``skipped_images``, the first thousand, each with ``path`` and ``reason``;
    ``images_of_dropped_classes``, a number by class name; ``ignored_files``, their number; ``first_ignored_files``,
    up to ten; ``notes``, what was told while the set was read.
    """
    return {
        "num_skipped_images": len(images.skipped),
        "skipped_images": [asdict(problem) for problem in images.skipped[:MAX_LISTED]],
        "images_of_dropped_classes": dict(images.dropped_classes),
        "ignored_files": len(images.ignored),
        "first_ignored_files": list(images.ignored[:_MAX_IGNORED_NAMED]),
        "notes": list(images.notes),
    }
