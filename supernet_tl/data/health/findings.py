"""From what was measured to what a person should know: found, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.errors import listing
from supernet_tl.data.health.copies import Copies
from supernet_tl.data.health.headers import Headers
from supernet_tl.data.health.parts import TEST, VALIDATION, Parts
from supernet_tl.data.health.record import Finding, Severity, Sighting
from supernet_tl.data.names import UNREAD_SUFFIXES, is_image_name, suffix_of

FEW_IMAGES = 10
"""Classes with fewer images than this are named."""
IMBALANCE = 10.0
"""How many times the smallest class the largest may be."""
ELONGATED = 3.0
"""Longer than so many times the shorter side."""

_TELLING_FRAC = 0.02  # near copies of a smaller share may be natural: handwritten ones are alike
_MIXED_FRAC = 0.05


Examples = tuple[tuple[Sighting, ...], ...]


@dataclass(frozen=True, eq=False, repr=False)
class Measured:
    """Everything that findings are drawn from.

    Args:
        parts: of each image.
        first: for each image the first that shows exactly the same.
        exact: exact copies.
        near: near copies.
        constant: shape (n,), bool: images of a single colour.
        colourless: shape (n,), bool.
        headers: sizes and formats.
        image_size: pixels a side that networks see; None when not known.
        max_examples: of each finding.
    """

    parts: Parts
    first: NDArray[np.int64]
    exact: Copies
    near: Copies
    constant: NDArray[np.bool_]
    colourless: NDArray[np.bool_]
    headers: Headers
    image_size: int | None
    max_examples: int

    @property
    def num_images(self) -> int:
        """In the set."""
        return len(self.first)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image."""
        return self.parts.images.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the set."""
        return self.parts.images.class_names

    def share(self, count: int, of: int, what: str) -> str:
        """``3 of 1,797 images``."""
        return f"{count:,} of {of:,} {what}"

    def pairs(self, copies: Copies, relation: str) -> tuple[Examples, int]:
        """Examples of copies, and how many they show of the images that are told of."""
        told = getattr(copies, relation) & ~(getattr(self.exact, relation) & (copies is not self.exact))
        found = copies.examples[relation]
        num_shown = int(told[np.unique(np.array(found, dtype=np.int64))].sum())
        return tuple(tuple(map(self.parts.sighting, pair)) for pair in found), num_shown

    def singles(self, mask: NDArray[np.bool_]) -> tuple[Examples, int]:
        """Some of these images, and how many."""
        found = np.flatnonzero(mask)[: self.max_examples].tolist()
        return tuple((self.parts.sighting(index),) for index in found), len(found)


def findings(measured: Measured) -> tuple[Finding, ...]:
    """All findings, warnings first, and of either kind the most important first."""
    found = [*_copies(measured), *_classes(measured), *_images(measured), *_left_out(measured)]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.WARNING))


def _copies(measured: Measured) -> Iterator[Finding]:
    exact, near = measured.exact, measured.near
    num_test = int((measured.parts.of_image == TEST).sum())
    num_validation = int((measured.parts.of_image == VALIDATION).sum())
    if count := int(exact.in_test.sum()):
        yield Finding(
            "test_leak",
            Severity.WARNING,
            f"{measured.share(count, num_test, 'test images')} {_is(count)} shown pixel by pixel in search or "
            "validation too, so the test accuracy counts images that were trained on or chosen by. Remove the copies "
            "from one side.",
            count,
            *measured.pairs(exact, "in_test"),
        )
    if count := int(exact.across_classes.sum()):
        yield Finding(
            "label_conflict",
            Severity.WARNING,
            f"{measured.share(count, measured.num_images, 'images')} {_has(count)} an exact copy in another class, so "
            "one of the two labels is wrong or the classes cannot be told apart. Keep each image in its right class "
            "only.",
            count,
            *measured.pairs(exact, "across_classes"),
        )
    if count := int((near.in_test & ~exact.in_test).sum()):
        yield Finding(
            "near_test_leak",
            _if_telling(count, num_test),
            f"{measured.share(count, num_test, 'test images')} {_is(count)} nearly the same as an image in search or "
            "validation (re-encoded, resized, brightened or cropped copies look so), which makes the test accuracy too "
            "good. Look at the examples, and keep copies on one side.",
            count,
            *measured.pairs(near, "in_test"),
        )
    if count := int((near.across_classes & ~exact.across_classes).sum()):
        yield Finding(
            "near_label_conflict",
            _if_telling(count, measured.num_images),
            f"{measured.share(count, measured.num_images, 'images')} {_is(count)} nearly the same as an image of "
            "another class: one of the labels may be wrong. Look at the examples.",
            count,
            *measured.pairs(near, "across_classes"),
        )
    if count := int(exact.in_validation.sum()):
        yield Finding(
            "validation_leak",
            Severity.WARNING,
            f"{measured.share(count, num_validation, 'validation images')} {_is(count)} shown pixel by pixel in search "
            "too, so validation accuracies, by which runs are stopped and sources chosen, are too good. Remove the "
            "copies.",
            count,
            *measured.pairs(exact, "in_validation"),
        )
    if count := int((near.in_validation & ~exact.in_validation).sum()):
        yield Finding(
            "near_validation_leak",
            Severity.NOTE,
            f"{measured.share(count, num_validation, 'validation images')} {_is(count)} nearly the same as an image in "
            "search, which makes validation accuracies a little too good. Look at the examples.",
            count,
            *measured.pairs(near, "in_validation"),
        )
    if count := int(exact.within_class.sum()):
        yield Finding(
            "copies_in_class",
            Severity.NOTE,
            f"{measured.share(count, measured.num_images, 'images')} {_is(count)} an exact copy of another image of "
            "the same class, so that image counts several times. Remove the copies if that is not meant.",
            count,
            *measured.pairs(exact, "within_class"),
        )
    if count := int((near.within_class & ~exact.within_class).sum()):
        yield Finding(
            "near_copies_in_class",
            Severity.NOTE,
            f"{measured.share(count, measured.num_images, 'images')} {_is(count)} nearly the same as another image of "
            "the same class: a split at random may put one into search and the other into test. Look at the examples.",
            count,
            *measured.pairs(near, "within_class"),
        )
    if not near.complete:
        yield Finding(
            "near_search_cut",
            Severity.NOTE,
            "the images are so alike that not all pairs were compared: there may be more near copies, above all "
            "cropped ones, than were found. Exact copies are all found.",
            measured.num_images,
        )


def _classes(measured: Measured) -> Iterator[Finding]:
    labels, names = measured.labels, measured.class_names
    counts = np.bincount(labels, minlength=len(names))
    varied = np.bincount(labels[~measured.constant], minlength=len(names))
    if empty := np.flatnonzero((varied == 0) & (counts > 0)).tolist():
        yield Finding(
            "constant_class",
            Severity.WARNING,
            f"{_classes_named(empty, names)} {_has(len(empty))} only images of a single colour, so there is nothing to "
            "learn of it but that colour. Look whether the files are what they should be.",
            len(empty),
            measured.singles(measured.constant & np.isin(labels, empty))[0],
        )
    first_of_class = np.unique(np.stack([labels, measured.first], axis=1), axis=0)
    contents = np.bincount(first_of_class[:, 0], minlength=len(names))
    single = [label for label in np.flatnonzero((contents == 1) & (counts > 1)).tolist() if label not in empty]
    if single:
        yield Finding(
            "copies_only_class",
            Severity.WARNING,
            f"{_classes_named(single, names)} {_has(len(single))} nothing but copies of one image, so training and "
            "test show the same. Add other images, or leave the class out.",
            len(single),
            tuple(
                (measured.parts.sighting(int(np.flatnonzero(labels == label)[0])),)
                for label in single[: measured.max_examples]
            ),
            min(len(single), measured.max_examples),
        )
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    if counts[largest] >= IMBALANCE * counts[smallest]:
        yield Finding(
            "imbalance",
            Severity.WARNING,
            f"the largest class, {names[largest]!r}, has {counts[largest]:,} images and the smallest, "
            f"{names[smallest]!r}, {counts[smallest]:,}: accuracy over all images says little of small classes. Read "
            "the balanced accuracy beside it, or give --balance class.",
            len(names),
        )
    if few := np.flatnonzero(counts < FEW_IMAGES).tolist():
        named = [f"{names[label]!r} ({counts[label]})" for label in sorted(few, key=lambda label: counts[label])]
        yield Finding(
            "few_images",
            Severity.NOTE,
            f"{_classes_count(few, 'has', 'have')} fewer than {FEW_IMAGES} images: {listing(named)}; what is measured "
            "of them rests on one or two test images. Add images, or read their accuracy with care.",
            len(few),
        )


def _images(measured: Measured) -> Iterator[Finding]:
    num_images, headers = measured.num_images, measured.headers
    if count := int(measured.constant.sum()):
        yield Finding(
            "constant_images",
            Severity.NOTE,
            f"{measured.share(count, num_images, 'images')} {_is(count)} of a single colour (deviation under 2 grey "
            "levels): nothing can be learnt of them. Look whether they are damaged.",
            count,
            *measured.singles(measured.constant),
        )
    shorter, longer = np.minimum(headers.width, headers.height), np.maximum(headers.width, headers.height)
    if measured.image_size is not None and (count := int((shorter < measured.image_size).sum())):
        yield Finding(
            "small_images",
            Severity.NOTE,
            f"{measured.share(count, num_images, 'images')} {_is(count)} smaller than the {measured.image_size} pixels "
            "that the networks see, and enlarged. Give a smaller --image-size if most are.",
            count,
            *measured.singles(shorter < measured.image_size),
        )
    elongated = longer > ELONGATED * shorter
    if count := int(elongated.sum()):
        yield Finding(
            "elongated_images",
            Severity.NOTE,
            f"{measured.share(count, num_images, 'images')} {_is(count)} more than {ELONGATED:.0f} times as long as "
            "wide; networks see the square in the middle. Crop them first if what matters lies at an end.",
            count,
            *measured.singles(elongated),
        )
    count = int(measured.colourless.sum())
    if _MIXED_FRAC * num_images < count < (1 - _MIXED_FRAC) * num_images:
        yield Finding(
            "mixed_colour",
            Severity.NOTE,
            f"{measured.share(count, num_images, 'images')} {_has(count)} no colour and the others have: a network may "
            "learn where images come from. Give --in-channels 1 if colour is no clue.",
            count,
            *measured.singles(measured.colourless),
        )


def _left_out(measured: Measured) -> Iterator[Finding]:
    images = measured.parts.images
    if count := len(images.skipped):
        yield Finding(
            "skipped_images",
            Severity.NOTE,
            f"{count:,} {'image' if count == 1 else 'images'} could not be read and {_is(count, 'was', 'were')} left "
            f"out: {listing([Path(problem.path).name for problem in images.skipped], 3)}. Repair or "
            "remove what is listed.",
            count,
        )
    if count := len(images.dropped_classes):
        named = [f"{name!r} ({images_left})" for name, images_left in images.dropped_classes]
        yield Finding(
            "dropped_classes",
            Severity.NOTE,
            f"{count:,} {'class' if count == 1 else 'classes'} with too few images {_is(count, 'was', 'were')} left "
            f"out: {listing(named)}. Add images to have them learnt.",
            count,
        )
    if count := len(images.ignored):
        yield Finding(
            "ignored_files",
            Severity.NOTE,
            f"{count:,} {'file' if count == 1 else 'files'} beside the images {_is(count, 'was', 'were')} ignored: "
            f"{listing(images.ignored, 3)}. {_meaning_of_ignored(images.ignored)}",
            count,
        )


def _meaning_of_ignored(names: Sequence[str]) -> str:
    count = sum(is_image_name(name) or suffix_of(name) in UNREAD_SUFFIXES for name in names)
    if not count:
        return "None is named as an image, so nothing need be done."
    named, them = ("is named as an image", "it") if count == 1 else ("are named as images", "them")
    return (
        f"{count:,} of them {named}: nothing is trained or tested on {them}. To have {them} used, convert what is not "
        "read here to PNG or JPEG, and put images without a class into the folder of theirs, or into the table."
    )


def _if_telling(count: int, of: int) -> Severity:
    return Severity.WARNING if count >= _TELLING_FRAC * of else Severity.NOTE


def _is(count: int, one: str = "is", many: str = "are") -> str:
    return one if count == 1 else many


def _has(count: int) -> str:
    return _is(count, "has", "have")


def _classes_named(labels: Sequence[int], names: Sequence[str]) -> str:
    listed: Iterable[str] = (repr(names[label]) for label in labels)
    return f"{'class' if len(labels) == 1 else 'the classes'} {listing(list(listed))}"


def _classes_count(labels: Sequence[int], one: str, many: str) -> str:
    return f"{len(labels):,} {'class' if len(labels) == 1 else 'classes'} {_is(len(labels), one, many)}"
