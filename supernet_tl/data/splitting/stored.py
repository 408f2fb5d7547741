"""Splits as ``splits.json`` keeps them: the images of each part by class and content, so that any order is recognised.

Schema 1 kept places in the set instead, and is still read for the same images in the same order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet_tl.data.errors import SplitError, listing
from supernet_tl.data.image_set import ImageSet

PARTS = ("weight", "architecture", "validation", "test", "unused")
UNKNOWN = -1
FILE_NAME = "splits.json"
_SCHEMA = 2
_MIN_DIGITS = 16
_REMEDY = "Give the file of these images, or leave --splits out to draw them anew."


@dataclass(frozen=True)
class Recognised:
    """What a stored split says of an image set.

    Attributes:
        parts: shape (n,): the place of each image's part in ``PARTS``; ``UNKNOWN`` for an image it does not know.
        num_gone: images that it knows and the set does not have.
    """

    parts: NDArray[np.int64]
    num_gone: int

    @property
    def num_known(self) -> int:
        """Images of the set that it knows."""
        return int((self.parts != UNKNOWN).sum())


@dataclass(frozen=True)
class StoredSplits:
    """What a ``splits.json`` holds: the splits of one image set, or of each source of a mixture.

    Attributes:
        path: the file.
        sha256: of its content, in hexadecimal.
        entries: the splits, as read.
    """

    path: Path
    sha256: str
    entries: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> StoredSplits:
        """Read a ``splits.json``, or that of a run's folder.

        Raises:
            SplitError: there is none, or it is something else.
        """
        file = Path(path).expanduser()
        file = file / FILE_NAME if file.is_dir() else file
        try:
            content = file.read_bytes()
            values = json.loads(content)
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SplitError(
                f"{file} cannot be read as --splits ({reason}); expected the splits.json of a run, or a run's folder."
            ) from error
        entries = values if isinstance(values, list) and values else [values]
        for entry in entries:
            _check(entry, str(file))
        return cls(file, hashlib.sha256(content).hexdigest(), tuple(entries))

    def of(self, images: ImageSet) -> Mapping[str, Any]:
        """The splits of an image set: of several, those that know most of its images."""
        if len(self.entries) == 1:
            return self.entries[0]
        return max(self.entries, key=lambda entry: len(_known_keys(entry) & set(_keys(images, _num_digits(entry)))))


def encode(parts: Mapping[str, NDArray[np.int64]], images: ImageSet, seed: int) -> dict[str, Any]:
    """Parts as JSON-ready values.

    Args:
        parts: indices of the images in each of ``PARTS``.
        images: what was split.
        seed: what it was drawn with.
    """
    keys = _unique_keys(images)
    listed: dict[str, dict[str, list[str]]] = {}
    for part in PARTS:
        by_class: dict[str, list[str]] = {}
        for index in parts[part]:
            by_class.setdefault(images.class_names[images.labels[index]], []).append(keys[index])
        listed[part] = {name: sorted(by_class[name]) for name in images.class_names if name in by_class}
    return {
        "schema": _SCHEMA,
        "seed": seed,
        "keys": f"the first {len(keys[0]) if keys else _MIN_DIGITS} hexadecimal digits of the SHA-256 of each image's "
        "content",
        "class_names": list(images.class_names),
        "sizes": {part: len(parts[part]) for part in PARTS},
        **listed,
    }


def recognise(stored: Mapping[str, Any], images: ImageSet) -> Recognised:
    """Find the images of a set, in whatever order, in a stored split.

    Raises:
        SplitError: the split is damaged, of schema 1 and drawn for other data, or images have another class there.
    """
    _check(stored, "a stored split")
    if stored["schema"] == 1:
        return _recognise_by_place(stored, images)
    places: dict[tuple[str, str], list[int]] = {}
    for number, part in enumerate(PARTS):
        for name, keys in stored[part].items():
            for key in keys:
                places.setdefault((name, key), []).append(number)
    rows: dict[tuple[str, str], list[int]] = {}
    for index, key in enumerate(_keys(images, _num_digits(stored))):
        rows.setdefault((images.class_names[images.labels[index]], key), []).append(index)
    elsewhere = {key: (name, key) for name, key in places}
    parts, moved, fits = np.full(len(images), UNKNOWN, dtype=np.int64), list[str](), _fits(images)
    for place, copies in rows.items():
        # An image that is new under its class, but the twin of one that is known and still there, goes with that.
        known = place if place in places else elsewhere.get(place[1])
        if known is None:
            continue
        if known not in rows:
            moved += [f"{place[0]!r} here, {known[0]!r} there"] * len(copies)
        _give_parts(parts, copies, places[known], fits, all_new=known != place)
    num_gone = sum(max(0, len(turns) - len(rows.get(place, ()))) for place, turns in places.items())
    if moved:
        raise SplitError(
            f"{len(moved)} images of {images.name!r} have another class in the stored split: "
            f"{listing(list(dict.fromkeys(moved)), 3)}; expected every image under the class it was split with. "
            f"{_REMEDY}"
        )
    return Recognised(parts, num_gone)


def _fits(images: ImageSet) -> NDArray[np.bool_]:
    """Whether an image may be in a part by the splits that the set defines itself, shape (n, number of parts)."""
    fits = np.ones((len(images), len(PARTS)), dtype=np.bool_)
    for name, mask in (("test", images.official_test), ("validation", images.official_validation)):
        if mask is not None:
            fits[mask] = False
            fits[:, PARTS.index(name)] = mask
    return fits


def _give_parts(
    parts: NDArray[np.int64], copies: Sequence[int], stored: Sequence[int], fits: NDArray[np.bool_], *, all_new: bool
) -> None:
    """Give images of one content the parts in which it is stored: first each that fits, then what is left.

    Copies beyond those stored are new: they go to the last part that fits, and stay unknown where none does.
    """
    left, others = [] if all_new else list(stored), list[int]()
    for index in copies:
        part = next((part for part in left if fits[index, part]), None)
        if part is None:
            others.append(index)
        else:
            parts[index] = part
            left.remove(part)
    for index in others:
        parts[index] = left.pop(0) if left else next((p for p in reversed(stored) if fits[index, p]), UNKNOWN)


def labels_fingerprint(labels: ArrayLike) -> str:
    """SHA-256, in hexadecimal, of the labels in their order."""
    return hashlib.sha256(np.asarray(labels).astype("<i8").tobytes()).hexdigest()


def _recognise_by_place(stored: Mapping[str, Any], images: ImageSet) -> Recognised:
    found = labels_fingerprint(images.labels)
    if stored["labels_sha256"] != found:
        raise SplitError(
            f"a stored split of schema 1 was drawn for other data (labels {stored['labels_sha256'][:12]}..., here "
            f"{found[:12]}...); expected the same images in the same order. {_REMEDY}"
        )
    parts = np.full(len(images), UNKNOWN, dtype=np.int64)
    listed = np.concatenate([np.array(stored[part], dtype=np.int64) for part in PARTS])
    if not np.array_equal(np.sort(listed), np.arange(len(images))):
        raise SplitError(
            f"a stored split of {len(images)} images names some twice or leaves some out; expected every image once. "
            f"{_REMEDY}"
        )
    for number, part in enumerate(PARTS):
        parts[np.array(stored[part], dtype=np.int64)] = number
    return Recognised(parts, 0)


def _check(stored: Any, where: str) -> None:
    schema = stored.get("schema") if isinstance(stored, Mapping) else None
    needed = ("seed", "labels_sha256") if schema == 1 else ("seed", "class_names")
    lacking = [key for key in (*needed, *PARTS) if not isinstance(stored, Mapping) or key not in stored]
    if schema not in (1, _SCHEMA) or lacking:
        raise SplitError(
            f"{where} has schema {schema!r} and lacks {listing(lacking) or 'nothing'}; expected what a run writes into "
            f"{FILE_NAME}, of schema 1 or {_SCHEMA}. {_REMEDY}"
        )
    if isinstance(stored["seed"], bool) or not isinstance(stored["seed"], int) or not _has_lists(stored, schema):
        kind = "places of images" if schema == 1 else "lists of keys by class name"
        raise SplitError(f"{where} is damaged; expected a whole number as seed, and {kind} in each part. {_REMEDY}")


def _has_lists(stored: Mapping[str, Any], schema: int) -> bool:
    if schema == 1:
        return isinstance(stored["labels_sha256"], str) and all(_all_of(stored[part], int) for part in PARTS)
    return all(
        isinstance(stored[part], Mapping) and all(_all_of(keys, str) for keys in stored[part].values())
        for part in PARTS
    )


def _all_of(values: Any, kind: type[int] | type[str]) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _known_keys(stored: Mapping[str, Any]) -> set[str]:
    if stored["schema"] == 1:
        return set()
    return {key for part in PARTS for keys in stored[part].values() for key in keys}


def _num_digits(stored: Mapping[str, Any]) -> int:
    """Of its keys, which are all of one length."""
    if stored["schema"] == 1:
        return _MIN_DIGITS
    return next((len(key) for part in PARTS for keys in stored[part].values() for key in keys), _MIN_DIGITS)


def _keys(images: ImageSet, num_digits: int) -> list[str]:
    return [digest.tobytes().hex()[:num_digits] for digest in images.digests]


def _unique_keys(images: ImageSet) -> Sequence[str]:
    """Keys that are as different as the images are."""
    whole = _keys(images, 64)
    num_digits = _MIN_DIGITS
    while len({key[:num_digits] for key in whole}) < len(set(whole)):
        num_digits += 8
    return [key[:num_digits] for key in whole]
