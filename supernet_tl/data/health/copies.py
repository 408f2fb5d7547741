"""Images that show exactly the same, where they should not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.health.parts import PARTS, SEARCH, TEST, VALIDATION, Parts
from supernet_tl.data.health.squares import Squares
from supernet_tl.data.image_set import ImageSet

MAX_EXAMPLES = 6
"""What pages show of each finding."""

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Copies:
    """Which of n images have copies where they should have none.

    Args:
        in_test: shape (n,), bool: test images with a copy in search or validation.
        in_validation: validation images with a copy in search.
        across_classes: images with a copy in another class.
        within_class: images with a copy in their own class and part: of exact copies all but one.
        examples: pairs for each of the four, by its name, as many as were asked for.
        complete: whether everything was compared that should be.
    """

    in_test: Mask
    in_validation: Mask
    across_classes: Mask
    within_class: Mask
    examples: Mapping[str, tuple[Pair, ...]]
    complete: bool = True


def contents(images: ImageSet, squares: Squares) -> Rows:
    """For each image the first that shows exactly the same: equal pixels after decoding, whatever the file format.

    Only images whose squares are equal are looked at again, and of equal files only one is decoded.

    Returns:
        Shape (n,), indices.
    """
    first = np.arange(len(images), dtype=np.int64)
    _, group, counts = np.unique(squares.keys, return_inverse=True, return_counts=True)
    decoded: dict[bytes, bytes] = {}
    known: dict[bytes, int] = {}
    for index in np.flatnonzero(counts[group] > 1).tolist():
        digest = images.digests[index].tobytes()
        if digest not in decoded:
            image = images.image(index)
            decoded[digest] = hashlib.blake2b(repr(image.size).encode() + image.tobytes()).digest()
        first[index] = known.setdefault(decoded[digest], index)
    return first


def exact_copies(first: Rows, parts: Parts, max_examples: int = MAX_EXAMPLES) -> Copies:
    """Images with exact copies.

    Args:
        first: for each image the first with the same content.
        parts: of each image.
        max_examples: pairs that are given of each kind.
    """
    part, labels = parts.of_image, parts.images.labels
    has_part = np.zeros((len(PARTS), len(first)), dtype=np.bool_)
    has_part[part, first] = True
    searched, validated = has_part[SEARCH, first], has_part[VALIDATION, first]
    lowest, highest = labels.copy(), labels.copy()
    np.minimum.at(lowest, first, labels)
    np.maximum.at(highest, first, labels)
    within = np.ones(len(first), dtype=np.bool_)
    within[np.unique(np.stack([first, labels, part], axis=1), axis=0, return_index=True)[1]] = False
    masks = {
        "in_test": (part == TEST) & (searched | validated),
        "in_validation": (part == VALIDATION) & searched,
        "across_classes": (lowest != highest)[first],
        "within_class": within,
    }
    examples = {name: tuple(islice(_pairs(name, mask, first, parts), max_examples)) for name, mask in masks.items()}
    return Copies(**masks, examples=examples)


def _pairs(relation: str, mask: Mask, first: Rows, parts: Parts) -> Iterator[Pair]:
    """Each image with one of its copies, every pair once; before any content comes again, each has come once."""
    part, labels = parts.of_image, parts.images.labels
    concerned = np.flatnonzero(mask)
    one_each = concerned[np.unique(first[concerned], return_index=True)[1]]
    given = set[Pair]()
    for index in (*one_each.tolist(), *np.setdiff1d(concerned, one_each).tolist()):
        others = np.flatnonzero(first == first[index])
        others = others[others != index]
        fits = {
            "in_test": np.isin(part[others], (SEARCH, VALIDATION)),
            "in_validation": part[others] == SEARCH,
            "across_classes": labels[others] != labels[index],
            "within_class": (labels[others] == labels[index]) & (part[others] == part[index]),
        }[relation]
        pair = in_order(parts, others[fits][0], index)
        if pair not in given:
            given.add(pair)
            yield pair


def in_order(parts: Parts, i: int, j: int) -> Pair:
    """A pair in the order in which a run sees its images: search, validation, test."""
    return (int(i), int(j)) if (parts.of_image[i], i) <= (parts.of_image[j], j) else (int(j), int(i))
