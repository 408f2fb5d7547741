"""Four splits: two halves to search with, one to stop by, one to be touched once.

Which image goes where depends on the seed, the labels and nothing else: random numbers are uniform doubles of PCG64,
sorted, which are the same on every platform.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet_tl.data.errors import SplitError, listing

Indices = NDArray[np.int64]

_SPLITS = ("weight", "architecture", "validation", "test")
_FIELDS = (*_SPLITS, "unused")
_SCHEMA = 1
_MIN_SEARCH_EACH = 2  # images of a class in weight and architecture together: one for each half


@dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """Sorted, disjoint indices that together name every image once.

    Args:
        weight: images on which weights are trained during search.
        architecture: images on which alphas are trained during search.
        validation: for early stopping and time to accuracy.
        test: touched once, at the end.
        unused: search images left out because a cap was asked for.
        seed: what the split was drawn with.
        labels_sha256: fingerprint of the labels it was drawn for.
    """

    weight: Indices
    architecture: Indices
    validation: Indices
    test: Indices
    unused: Indices
    seed: int
    labels_sha256: str

    def __post_init__(self) -> None:
        for name in _FIELDS:
            indices = np.sort(np.array(getattr(self, name), dtype=np.int64))
            indices.setflags(write=False)
            object.__setattr__(self, name, indices)
        everything = np.sort(np.concatenate([getattr(self, name) for name in _FIELDS]))
        if not np.array_equal(everything, np.arange(len(everything))):
            raise SplitError(
                f"a split over {len(everything)} images names some twice or leaves some out; expected every image "
                f"once. Draw it anew with make_splits()."
            )

    def __repr__(self) -> str:
        return f"Splits({', '.join(f'{name}: {size}' for name, size in self.sizes().items())}; seed {self.seed})"

    @property
    def search(self) -> Indices:
        """Weight and architecture together, sorted: what the final network is fine-tuned on."""
        return np.sort(np.concatenate([self.weight, self.architecture]))

    def sizes(self) -> dict[str, int]:
        """Images in each split."""
        return {name: len(getattr(self, name)) for name in _FIELDS}

    def to_dict(self) -> dict[str, Any]:
        """The split as JSON-ready values."""
        return {
            "schema": _SCHEMA,
            "seed": self.seed,
            "labels_sha256": self.labels_sha256,
            "sizes": self.sizes(),
            **{name: getattr(self, name).tolist() for name in _FIELDS},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], labels: ArrayLike) -> Splits:
        """What ``to_dict`` wrote, for the same labels.

        Args:
            data: the stored values.
            labels: shape (n,), integers: the labels of the images to be split.

        Raises:
            SplitError: the split is incomplete, or was drawn for other labels.
        """
        lacking = [key for key in ("schema", "seed", "labels_sha256", *_FIELDS) if key not in data]
        if lacking or data["schema"] != _SCHEMA:
            raise SplitError(
                f"a stored split lacks {listing(lacking) or 'nothing'} and has schema {data.get('schema')!r}; expected "
                f"schema {_SCHEMA}. Draw it anew with make_splits()."
            )
        found = labels_fingerprint(labels)
        if data["labels_sha256"] != found:
            raise SplitError(
                f"a stored split was drawn for other data (labels {data['labels_sha256'][:12]}..., here "
                f"{found[:12]}...); expected the same images in the same order. Give the data it was drawn for, or "
                f"another output folder."
            )
        return cls(
            **{name: np.array(data[name], dtype=np.int64) for name in _FIELDS},
            seed=data["seed"],
            labels_sha256=data["labels_sha256"],
        )

    def to_json(self) -> str:
        """The split as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str, labels: ArrayLike) -> Splits:
        """What ``to_json`` wrote, for the same labels."""
        return cls.from_dict(json.loads(text), labels)


def labels_fingerprint(labels: ArrayLike) -> str:
    """SHA-256, in hexadecimal, of the labels in their order."""
    return hashlib.sha256(np.asarray(labels).astype("<i8").tobytes()).hexdigest()


def make_splits(
    labels: ArrayLike,
    seed: int,
    *,
    official_test: ArrayLike | None = None,
    test_frac: float = 0.2,
    validation_frac: float = 0.2,
    max_search_images: int | None = None,
) -> Splits:
    """Split each class by itself: test, validation, and the rest in two halves.

    Every class has at least one image in each split; a class without official test images has none in test. With an odd
    rest, the halves take turns at the larger part, so that they differ by one image at most.

    Args:
        labels: shape (n,), integers from 0.
        seed: not negative.
        official_test: shape (n,), bool: exactly the test split; drawn if None.
        test_frac: fraction of a class's images drawn for test.
        validation_frac: fraction of a class's images drawn for validation.
        max_search_images: at most so many images in weight and architecture together, from each class in proportion;
            the images left out are ``unused``. Test and validation do not depend on it.

    Raises:
        SplitError: a class has too few images, or the settings leave nothing to a split.
    """
    label_array = np.asarray(labels, dtype=np.int64)
    _check_settings(seed, test_frac, validation_frac)
    if label_array.ndim != 1 or (label_array.size and label_array.min() < 0):
        raise SplitError(
            f"labels have shape {label_array.shape}"
            f"{f' and start at {label_array.min()}' if label_array.size else ''}; expected one integer from 0 an image."
        )
    fixed = None if official_test is None else np.asarray(official_test, dtype=np.bool_)
    if fixed is not None and fixed.shape != label_array.shape:
        raise SplitError(
            f"official_test has shape {fixed.shape} and labels {label_array.shape}; expected one truth value an image."
        )
    classes = [int(label) for label in np.unique(label_array)]
    _check_counts(label_array, fixed, classes)

    test, validation, searchable = [], [], []
    for label in classes:
        order = _shuffled(np.flatnonzero(label_array == label), seed, label)
        num_images = len(order)
        if fixed is None:
            num_test = int(np.clip(round(num_images * test_frac), 1, num_images - 3))
            class_test, rest = order[:num_test], order[num_test:]
        else:
            class_test, rest = order[fixed[order]], order[~fixed[order]]
        num_validation = int(np.clip(round(num_images * validation_frac), 1, len(rest) - _MIN_SEARCH_EACH))
        test.append(class_test)
        validation.append(rest[:num_validation])
        searchable.append(rest[num_validation:])
    weight, architecture, unused = _halves(searchable, max_search_images)
    return Splits(
        weight=weight,
        architecture=architecture,
        validation=_join(validation),
        test=_join(test),
        unused=unused,
        seed=seed,
        labels_sha256=labels_fingerprint(label_array),
    )


def _check_settings(seed: int, test_frac: float, validation_frac: float) -> None:
    if seed < 0:
        raise SplitError(f"the seed of a split is {seed}; expected 0 or more. Give another seed.")
    if not (0 < test_frac < 1 and 0 < validation_frac < 1 and test_frac + validation_frac < 1):
        raise SplitError(
            f"test_frac is {test_frac} and validation_frac {validation_frac}; expected both above 0 and their sum "
            f"below 1, so that images are left to search with."
        )


def _check_counts(labels: Indices, official_test: NDArray[np.bool_] | None, classes: list[int]) -> None:
    """Each class can give one image to every split that is drawn."""
    if not classes:
        raise SplitError("there are 0 images to split; expected at least 4 of each class. Give another image set.")
    drawn = np.ones_like(labels, dtype=np.bool_) if official_test is None else ~official_test
    required, where = (4, "") if official_test is None else (3, " outside the official test split")
    counts = np.bincount(labels[drawn], minlength=max(classes) + 1)
    small = [f"{label} ({counts[label]})" for label in classes if counts[label] < required]
    if small:
        raise SplitError(
            f"{len(small)} of {len(classes)} classes have fewer than {required} images{where}: label {listing(small)}; "
            f"expected one for each split. Add images, or leave these classes out with --drop-small-classes."
        )
    if official_test is not None and not official_test.any():
        raise SplitError("the official test split is empty; expected at least 1 image. Give None to have one drawn.")


def _shuffled(rows: Indices, seed: int, label: int) -> Indices:
    """The rows in an order that depends on seed and label alone."""
    keys = np.random.default_rng([seed, label]).random(len(rows))
    return rows[np.argsort(keys, kind="stable")]


def _halves(searchable: list[Indices], cap: int | None) -> tuple[Indices, Indices, Indices]:
    """Weight, architecture and unused images, from each class's images in random order."""
    kept = _apportion([len(rows) for rows in searchable], cap)
    weight, architecture, unused = [], [], []
    weight_takes_more = True
    for rows, num_kept in zip(searchable, kept, strict=True):
        half = num_kept // 2
        if num_kept % 2:
            half += weight_takes_more
            weight_takes_more = not weight_takes_more
        weight.append(rows[:half])
        architecture.append(rows[half:num_kept])
        unused.append(rows[num_kept:])
    return _join(weight), _join(architecture), _join(unused)


def _apportion(counts: list[int], cap: int | None) -> list[int]:
    """How many images each class keeps under a cap: two, then its share by largest remainders."""
    if cap is None or cap >= sum(counts):
        return counts
    floor = _MIN_SEARCH_EACH * len(counts)
    if cap < floor:
        raise SplitError(
            f"max_search_images is {cap} for {len(counts)} classes; expected at least {floor}, two of each class. "
            f"Raise it, or leave classes out."
        )
    spare = np.array(counts) - _MIN_SEARCH_EACH
    shares = spare * ((cap - floor) / spare.sum())
    extra = np.floor(shares).astype(np.int64)
    remaining = cap - floor - int(extra.sum())
    extra[np.argsort(extra - shares, kind="stable")[:remaining]] += 1
    return [_MIN_SEARCH_EACH + int(more) for more in extra]


def _join(parts: list[Indices]) -> Indices:
    return np.concatenate(parts)
