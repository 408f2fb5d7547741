"""Four splits: two halves to search with, one to stop by, one to be touched once.

Where an image goes follows from the seed and its content alone, by SHA-256: so files that are added, removed, renamed
or listed in another order leave the others where they were, on every platform. Exact duplicates stay together within
a class, and between classes unless one of them is so small that its images had to be moved for its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.errors import SplitError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.splitting.hashing import Draws, Share, parts_by_hash
from supernet_tl.data.splitting.stored import PARTS, UNKNOWN, encode, recognise

Indices = NDArray[np.int64]

_WEIGHT, _ARCHITECTURE, _VALIDATION, _TEST, _UNUSED = range(len(PARTS))
_FREE, _SEARCH = -1, len(PARTS)
_OFFICIAL = {"test": _TEST, "validation": _VALIDATION}
_MIN_SEARCH_EACH = 2  # images of a class in weight and architecture together: one for each half


@dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """Sorted, disjoint indices that together name every image once.

    Args:
        weight: images on which weights are trained during search.
        architecture: images on which alphas are trained during search.
        validation: for early stopping and time to accuracy.
        test: touched once, at the end.
        unused: search images left out because a cap or few shots were asked for.
        seed: what the split was drawn with.
        notes: sentences that a person should be told of it; not stored.
    """

    weight: Indices
    architecture: Indices
    validation: Indices
    test: Indices
    unused: Indices
    seed: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in PARTS:
            indices = np.sort(np.array(getattr(self, name), dtype=np.int64))
            indices.setflags(write=False)
            object.__setattr__(self, name, indices)
        everything = np.sort(np.concatenate([getattr(self, name) for name in PARTS]))
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
        return {name: len(getattr(self, name)) for name in PARTS}

    def to_dict(self, images: ImageSet) -> dict[str, Any]:
        """The split of these images as JSON-ready values that recognise them by content."""
        return encode({name: getattr(self, name) for name in PARTS}, images, self.seed)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], images: ImageSet) -> Splits:
        """What ``to_dict`` wrote, for the same images in any order.

        Raises:
            SplitError: the split is damaged, or was drawn for other images.
        """
        found = recognise(data, images)
        num_new = len(images) - found.num_known
        if num_new or found.num_gone:
            raise SplitError(
                f"a stored split was drawn for other images than those of {images.name!r}: {num_new} are new and "
                f"{found.num_gone} are gone; expected the same. Give the images it was drawn for, or another --output "
                f"(with --splits it applies to what is left and what has come)."
            )
        _check_agrees(found.parts, images, "Give the images it was drawn for, or another --output.")
        return _splits(found.parts, data["seed"])


def make_splits(
    images: ImageSet,
    seed: int,
    *,
    test_frac: float = 0.2,
    validation_frac: float = 0.2,
    max_search_images: int | None = None,
    shots: int | None = None,
    stored: Mapping[str, Any] | None = None,
) -> Splits:
    """Split each class by itself: test, validation, and the rest in two halves.

    Every class has at least one image in each split; a class without official test images has none in test, likewise
    of validation. Splits that the image set defines itself are used exactly, and the others drawn from what is left.
    Where chance gives a class's part less than a quarter or more than twice its share, the images nearest the boundary
    are moved until it has that much. Only then can an added image move others: in simulations with the default
    fractions, one image added to a class moved another in 61 % of classes of 4 images, 20 % of 8, 12 % of 20, 0.8 % of
    40, 0.1 % of 60, and in none of 1,000 of 100. With ``stored`` none moves.

    Args:
        images: the set; its content is read once.
        seed: not negative.
        test_frac: fraction for test of a class's images that are in no official split.
        validation_frac: as ``test_frac``, for validation.
        max_search_images: at most so many images in weight and architecture together, from each class in proportion
            and from its halves in turn, copies of an image last; the images left out are ``unused``. A larger cap
            keeps what a smaller one keeps.
        shots: so many different images of each class in weight and architecture together, likewise nested; further
            copies of an image are ``unused``. Validation and test stay what they are without it.
        stored: what :meth:`Splits.to_dict` gave of these images or others: known images stay in test, validation or
            their half of the search images, others are drawn with its seed. Which search images are unused is up to
            ``max_search_images`` and ``shots``.

    Raises:
        SplitError: a class has too few different images, the settings leave nothing to a split, or the stored split
            contradicts the image set.
    """
    _check_settings(seed, test_frac, validation_frac, max_search_images, shots)
    if not len(images):
        raise SplitError("there are 0 images to split; expected at least 4 of each class. Give another image set.")
    official = _official(images)
    parts = np.full(len(images), _FREE, dtype=np.int64)
    for name, mask in official.items():
        parts[mask] = _OFFICIAL[name]
    notes = []
    if stored is not None:
        seed = stored["seed"]
        notes.append(_take_known(parts, stored, images))
    draws = Draws.of(images.digests, seed)
    classes = [np.flatnonzero(images.labels == label) for label in np.unique(images.labels)]
    _check_counts(images, draws, official, classes)
    for rows in classes:
        _hold_out(parts, rows, draws, official, test_frac, validation_frac)
        _halve(parts, rows, draws)
    _check_complete(images, parts, official, classes)
    queue, copies = _queue(parts, draws, classes)
    if shots is not None:
        notes += _few(images, (queue >= 0) & ~copies, classes, shots)
        parts[(queue >= shots) | copies] = _UNUSED
    elif max_search_images is not None:
        parts[_beyond(queue, draws, classes, max_search_images)] = _UNUSED
    return _splits(parts, seed, tuple(notes))


def _splits(parts: Indices, seed: int, notes: tuple[str, ...] = ()) -> Splits:
    return Splits(**{name: np.flatnonzero(parts == part) for part, name in enumerate(PARTS)}, seed=seed, notes=notes)


def _check_settings(
    seed: int, test_frac: float, validation_frac: float, max_search_images: int | None, shots: int | None
) -> None:
    if seed < 0:
        raise SplitError(f"the seed of a split is {seed}; expected 0 or more. Give another seed.")
    if not (0 < test_frac < 1 and 0 < validation_frac < 1 and test_frac + validation_frac < 1):
        raise SplitError(
            f"test_frac is {test_frac} and validation_frac {validation_frac}; expected both above 0 and their sum "
            f"below 1, so that images are left to search with."
        )
    if shots is not None and shots < _MIN_SEARCH_EACH:
        raise SplitError(f"shots is {shots}; expected at least {_MIN_SEARCH_EACH}, one for each half. Give more.")
    if shots is not None and max_search_images is not None:
        raise SplitError(
            f"shots {shots} and max_search_images {max_search_images} both say which images to search with; expected "
            f"one of them. Leave the other out."
        )


def _official(images: ImageSet) -> dict[str, NDArray[np.bool_]]:
    """The splits that the set defines itself, by name."""
    masks = {"test": images.official_test, "validation": images.official_validation}
    official = {name: mask for name, mask in masks.items() if mask is not None}
    for name, mask in official.items():
        if not mask.any():
            raise SplitError(_empty(images, name))
    if len(official) == len(masks) and (official["test"] & official["validation"]).any():
        raise SplitError(
            f"{(official['test'] & official['validation']).sum()} images are in the official test split and in the "
            f"official validation split; expected each in one of them. Take them out of one."
        )
    return official


def _empty(images: ImageSet, name: str) -> str:
    """The sentence on an official split without images: what was left out of the set, and the way out."""
    left_out = [f"{len(images.skipped)} images that cannot be read"] if images.skipped else []
    if images.dropped_classes:
        dropped = [f"{class_name!r} ({count})" for class_name, count in images.dropped_classes]
        left_out.append(f"the classes {listing(dropped)}")
    told = f" after leaving out {' and '.join(left_out)}" if left_out else ""
    mend = "Repair or add images" if left_out else "Add images"
    return (
        f"the official {name} split of {images.name!r} is empty{told}; expected at least 1 image. {mend}, or take the "
        f"{name} split's folder, or its rows in the table, out of the set to have one drawn."
    )


def _take_known(parts: Indices, stored: Mapping[str, Any], images: ImageSet) -> str:
    """Put the images that a stored split knows where they were, and say what it knows."""
    found = recognise(stored, images)
    if not found.num_known:
        raise SplitError(
            f"the stored split knows none of the {len(images)} images of {images.name!r}; expected the split of these "
            f"images, or of most of them. Give another file as --splits, or leave it out."
        )
    _check_agrees(found.parts, images, "Leave --splits out.")
    known = found.parts != UNKNOWN
    parts[known] = np.where(found.parts == _UNUSED, _SEARCH, found.parts)[known]
    return (
        f"{images.name}: {found.num_known} images stay in the splits they were in, {len(images) - found.num_known} new "
        f"ones are drawn by their content, {found.num_gone} are gone"
    )


def _check_agrees(stored: Indices, images: ImageSet, remedy: str) -> None:
    """Images are stored in an official split if, and only if, the set has them there."""
    for name, mask in (("test", images.official_test), ("validation", images.official_validation)):
        if mask is None:
            continue
        wrong = (stored != UNKNOWN) & (mask != (stored == _OFFICIAL[name]))
        if wrong.any():
            raise SplitError(
                f"the stored split contradicts the official {name} split of {images.name!r} in {wrong.sum()} images, "
                f"such as {images.store.name(int(np.flatnonzero(wrong)[0]))}; expected both to agree. {remedy}"
            )


def _different(numbers: NDArray[np.uint64]) -> int:
    return len(np.unique(numbers))


def _check_counts(
    images: ImageSet, draws: Draws, official: Mapping[str, NDArray[np.bool_]], classes: list[Indices]
) -> None:
    """Each class can give a different image to every split that is drawn."""
    drawn = np.ones(len(images), dtype=np.bool_)
    for mask in official.values():
        drawn &= ~mask
    required = 4 - len(official)
    small, has_twins = [], False
    for rows in classes:
        num_images, num_different = int(drawn[rows].sum()), _different(draws.place[rows[drawn[rows]]])
        if num_different < required:
            has_twins |= num_images >= required
            twins = "" if num_images == num_different else f", {num_different} different"
            small.append(f"{images.class_names[images.labels[rows[0]]]!r} ({num_images}{twins})")
    if small:
        kind = "different images" if has_twins else "images"
        where = f" outside the official {' and '.join(official)} split" if official else ""
        remedy = "take these classes out" if has_twins else "leave these classes out with --drop-small-classes"
        raise SplitError(
            f"{len(small)} of {len(classes)} classes have fewer than {required} {kind}{where}: {listing(small)}; "
            f"expected one for each split. Add images, or {remedy}."
        )


def _hold_out(
    parts: Indices,
    rows: Indices,
    draws: Draws,
    official: Mapping[str, NDArray[np.bool_]],
    test_frac: float,
    validation_frac: float,
) -> None:
    """Draw what a class gives to test and validation; the rest is to be searched with."""

    def fixed(*found: int) -> int:
        return _different(draws.place[rows[np.isin(parts[rows], found)]])

    fracs = {
        _OFFICIAL[name]: frac
        for name, frac in (("test", test_frac), ("validation", validation_frac))
        if name not in official
    }
    shares = [Share(frac, 1, fixed(part)) for part, frac in fracs.items()]
    shares.append(Share(1 - sum(fracs.values()), _MIN_SEARCH_EACH, fixed(_WEIGHT, _ARCHITECTURE, _SEARCH)))
    free = rows[parts[rows] == _FREE]
    parts[free] = np.array([*fracs, _SEARCH])[parts_by_hash(draws.place[free], shares)]


def _halve(parts: Indices, rows: Indices, draws: Draws) -> None:
    """Draw the halves of a class's images to search with; copies of an image that has one already go there."""
    for half in (_WEIGHT, _ARCHITECTURE):
        free = rows[parts[rows] == _SEARCH]
        parts[free[np.isin(draws.half[free], draws.half[rows[parts[rows] == half]])]] = half
    shares = [Share(0.5, 1, _different(draws.half[rows[parts[rows] == half]])) for half in (_WEIGHT, _ARCHITECTURE)]
    free = rows[parts[rows] == _SEARCH]
    parts[free] = np.array([_WEIGHT, _ARCHITECTURE])[parts_by_hash(draws.half[free], shares)]


def _check_complete(
    images: ImageSet, parts: Indices, official: Mapping[str, NDArray[np.bool_]], classes: list[Indices]
) -> None:
    """Every class is still in every split, though a stored one may have fixed most of it."""
    needed = [part for part in (_WEIGHT, _ARCHITECTURE, _VALIDATION, _TEST) if PARTS[part] not in official]
    lacking = [
        f"{images.class_names[images.labels[rows[0]]]!r} has none in {PARTS[part]}"
        for rows in classes
        for part in needed
        if part not in parts[rows]
    ]
    if lacking:
        raise SplitError(
            f"the stored split leaves classes of {images.name!r} without images where some are needed: "
            f"{listing(lacking)}; expected at least one of each class in each split. Add images, or leave --splits out."
        )


def _queue(parts: Indices, draws: Draws, classes: list[Indices]) -> tuple[Indices, NDArray[np.bool_]]:
    """The place of each search image in the queue of its class, in which the halves take turns; -1 for others.

    And which images are copies of another before them in their half; these come last.
    """
    queue, copies = np.full(len(parts), -1, dtype=np.int64), np.zeros(len(parts), dtype=np.bool_)
    for rows in classes:
        for half in (_WEIGHT, _ARCHITECTURE):
            listed = rows[parts[rows] == half]
            first = np.unique(draws.order[listed], return_index=True)[1]
            copies[np.delete(listed, first)] = True
            queue[listed[np.lexsort((draws.order[listed], copies[listed]))]] = np.arange(len(listed))
        searched = rows[queue[rows] >= 0]
        in_turn = np.lexsort((draws.order[searched], queue[searched], copies[searched]))
        queue[searched[in_turn]] = np.arange(len(searched))
    return queue, copies


def _few(images: ImageSet, different: NDArray[np.bool_], classes: list[Indices], shots: int) -> list[str]:
    """A sentence on the classes that have fewer different search images than shots, if there are any."""
    few = [
        f"{images.class_names[images.labels[rows[0]]]!r} ({different[rows].sum()})"
        for rows in classes
        if different[rows].sum() < shots
    ]
    if not few:
        return []
    have = "class has" if len(few) == 1 else "classes have"
    return [
        f"{images.name}: {len(few)} {have} fewer than {shots} different images to search with: {listing(few)}; all of "
        f"these are used"
    ]


def _beyond(queue: Indices, draws: Draws, classes: list[Indices], cap: int) -> Indices:
    """Search images beyond a cap: of each class two are kept, then in proportion to what more it has.

    Source: the divisor method of Webster and Sainte-Laguë, by which a larger cap takes nothing from any class.
    """
    fewest = _MIN_SEARCH_EACH * len(classes)
    if cap < fewest:
        raise SplitError(
            f"max_search_images is {cap} for {len(classes)} classes; expected at least {fewest}, two of each class. "
            f"Raise it, or leave classes out."
        )
    turn = np.full(len(queue), -1.0)
    for rows in classes:
        late = rows[queue[rows] >= _MIN_SEARCH_EACH]
        turn[late] = (queue[late] - _MIN_SEARCH_EACH + 0.5) / len(late) if len(late) else turn[late]
    searched = np.flatnonzero(queue >= 0)
    return searched[np.lexsort((draws.order[searched], turn[searched]))[cap:]]
