"""Where an image set comes from and what may be done with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class DataCard:
    """Provenance of an image set, as it is written into zoo entries, summaries and reports.

    Args:
        name: the set's name.
        origin: where the images come from, in words.
        licence: as stated by the origin; "not stated" when it says nothing.
        description: one or two sentences.
        domain: kind of images, such as "handwriting"; empty when unknown.
        num_images: images in the set.
        num_classes: classes in the set.
        mirror_safe: whether a left-right mirrored image keeps its class. Unknown counts as no.
    """

    name: str
    origin: str
    licence: str
    description: str
    domain: str
    num_images: int
    num_classes: int
    mirror_safe: bool

    def to_dict(self) -> dict[str, str | int | bool]:
        """The card as JSON-ready values."""
        return asdict(self)
