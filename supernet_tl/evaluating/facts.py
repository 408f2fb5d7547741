"""What is found out about the datasets of an evaluation before any job, and what must not be among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.recipe import called


@dataclass(frozen=True)
class DatasetFacts:
    """One dataset.

    Attributes:
        dataset: as the recipe names it.
        fingerprint: over images, classes and official splits.
        content_fingerprint: over images and classes.
        num_images: in all.
        num_classes: in all.
        digests: SHA-256 of every image's content.
    """

    dataset: str
    fingerprint: str
    content_fingerprint: str
    num_images: int
    num_classes: int
    digests: frozenset[bytes] = field(repr=False)

    @classmethod
    def of(cls, dataset: str, images: ImageSet) -> DatasetFacts:
        """Those of an open image set."""
        return cls(
            dataset,
            images.fingerprint(),
            images.content_fingerprint(),
            len(images),
            len(images.class_names),
            frozenset(map(bytes, np.asarray(images.digests))),
        )


def inspect_datasets(datasets: Sequence[str], control: Control) -> dict[str, DatasetFacts]:
    """Open every dataset, and refuse those that are one another.

    Raises:
        EvaluationError: two datasets hold the same images, under whatever names.
        DataError: one of them cannot be used.
    """
    facts = {dataset: DatasetFacts.of(dataset, control.open(dataset)) for dataset in datasets}
    for note in check_apart(facts):
        control.say(note)
    return facts


def check_apart(facts: Mapping[str, DatasetFacts]) -> Iterator[str]:
    """Refuse a dataset that is among its own sources; tell of images that two datasets share.

    Raises:
        EvaluationError: more than half of a dataset's images are in another, so that it would be a target among its own
            sources.
    """
    notes = []
    for one, other in combinations(facts.values(), 2):
        shared = len(one.digests & other.digests)
        smaller = min(one, other, key=lambda facts: len(facts.digests))
        if 2 * shared > len(smaller.digests):
            larger = other if smaller is one else one
            raise EvaluationError(
                f"{shared} of the {len(smaller.digests)} different images of {smaller.dataset} are also in "
                f"{larger.dataset}, by their content; a target among its own sources would be tested on what its "
                "source was trained on. Leave one of the two out of the datasets."
            )
        if shared:
            notes.append(
                f"note: {called(one.dataset)} and {called(other.dataset)} share {shared} images, "
                f"{shared / len(smaller.digests):.1%} of {called(smaller.dataset)}: as target and source of each other "
                "their figures are too good"
            )
    yield from notes
