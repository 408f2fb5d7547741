"""What is found out about the datasets of an evaluation before any job, and what must not be among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.recipe import called


def fingerprints_of(datasets: Sequence[str], control: Control) -> dict[str, str]:
    """Open every dataset, refuse those that are one another, and give the fingerprint of each.

    Raises:
        EvaluationError: more than half of a dataset's images are in another, under whatever names, so that it would be
            a target among its own sources.
        DataError: one of them cannot be used.
    """
    opened = {dataset: control.open(dataset) for dataset in datasets}
    for note in _shared_images(opened):
        control.say(note)
    return {dataset: images.fingerprint() for dataset, images in opened.items()}


def _shared_images(opened: Mapping[str, ImageSet]) -> list[str]:
    """What a person should know of images that two datasets share; those that share too many are refused."""
    digests = {dataset: frozenset(map(bytes, np.asarray(images.digests))) for dataset, images in opened.items()}
    notes = []
    for pair in combinations(digests, 2):
        smaller, larger = sorted(pair, key=lambda dataset: len(digests[dataset]))
        shared, of = len(digests[smaller] & digests[larger]), len(digests[smaller])
        if 2 * shared > of:
            raise EvaluationError(
                f"{shared} of the {of} different images of {smaller} are also in {larger}, by their content; a target "
                "among its own sources would be tested on what its source was trained on. Leave one of the two out of "
                "the datasets."
            )
        if shared:
            first, second = map(called, pair)
            notes.append(
                f"note: {first} and {second} share {shared} images, {shared / of:.1%} of {called(smaller)}: as target "
                "and source of each other their figures are too good"
            )
    return notes
