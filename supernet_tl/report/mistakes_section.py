"""What the final network takes for what, as the page shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supernet_tl.report.contact_sheet import image_urls
from supernet_tl.report.matrix import Cell, Heading, Matrix, matrix
from supernet_tl.report.run_record import Mistakes

_MOST_CLASSES = 100
_NUM_PAIRS = 6


@dataclass(frozen=True)
class Shown:
    """A mistake with its picture.

    Attributes:
        url: of the image, within the page.
        name: of its file, or its number in the set.
        class_name: what it is.
        taken_for: what the network takes it for.
        probability: that the network gives its mistake.
    """

    url: str
    name: str
    class_name: str
    taken_for: str
    probability: float


@dataclass(frozen=True)
class MistakesSection:
    """What the page says of mistakes.

    Attributes:
        num_wrong: test images.
        num_images: all test images.
        confusion: counts by true and predicted class; None for too many classes.
        pairs: the most frequent confusions: class, taken for, how many, of how many.
        surest: the mistakes that the network is surest of.
    """

    num_wrong: int
    num_images: int
    confusion: Matrix | None
    pairs: tuple[tuple[str, str, int, int], ...]
    surest: tuple[Shown, ...]


def mistakes_section(mistakes: Mistakes, class_names: tuple[str, ...]) -> MistakesSection:
    """The section of a run's mistakes."""
    counts = mistakes.confusion
    urls = image_urls(_in_colour(mistakes.images))
    return MistakesSection(
        num_wrong=mistakes.num_wrong,
        num_images=int(counts.sum()),
        confusion=_matrix(counts, class_names) if len(class_names) <= _MOST_CLASSES else None,
        pairs=_pairs(counts, class_names),
        surest=tuple(
            Shown(
                url,
                os.path.basename(one.path) if one.path else f"image {one.index}",
                one.class_name,
                one.taken_for,
                one.probability,
            )
            for url, one in zip(urls, mistakes.surest, strict=True)
        ),
    )


def _matrix(counts: NDArray[np.int64], names: tuple[str, ...]) -> Matrix:
    """A cell's shade is its share of the images of its row's class."""
    totals = counts.sum(axis=1)
    cells = [
        [
            Cell(
                shade=round(float(count / total), 3) if total else None,
                text=str(count) if count else "",
                title=f"{count} of {total} test images of {name} are taken for {other}",
            )
            for other, count in zip(names, row.tolist(), strict=True)
        ]
        for name, row, total in zip(names, counts, totals.tolist(), strict=True)
    ]
    headings = [Heading(name) for name in names]
    return matrix("Test images by their class, from top to bottom, and by predicted class", headings, headings, cells)


def _pairs(counts: NDArray[np.int64], names: tuple[str, ...]) -> tuple[tuple[str, str, int, int], ...]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:_NUM_PAIRS]
    rows, columns = np.unravel_index(order, off.shape)
    return tuple(
        (names[row], names[column], int(off[row, column]), int(counts[row].sum()))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if off[row, column]
    )


def _in_colour(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images if images.shape[1] == 3 else np.repeat(images, 3, axis=1)
