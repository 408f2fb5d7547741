"""Meta-Album as it was released: 30 sets in up to three versions, each a dataset of OpenML.

Source: Ullah et al. 2022, "Meta-Album: Multi-domain Meta-Dataset for Few-Shot Image Classification"; the numbers are
those of its web site. Where its sources disagree the table says None. A fourth set of ten was announced; it has no ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

VERSIONS = ("Micro", "Mini", "Extended")


@dataclass(frozen=True)
class AlbumSet:
    """One of the 30 sets.

    Args:
        tag: short name, such as ``BRD``.
        number: which of Meta-Album's releases of ten: 0, 1 or 2.
        domain_code: such as ``LR_AM``; three sets share one.
        domain: the same in words.
        name: such as ``Birds``.
        licence: of Meta-Album's version of the images, as its site words it.
        in_paper27: whether it is one of the 27 sets of Singh & Vanschoren (arXiv:2407.20279): all but the three of
            characters.
        mirror_safe: whether a mirrored image keeps its class. Not for characters: a mirrored letter is another letter,
            or none. In all other domains left and right say nothing about the class.
        versions: the versions there are, smallest first; sets of characters have no Extended.
    """

    tag: str
    number: int
    domain_code: str
    domain: str
    name: str
    licence: str
    in_paper27: bool
    mirror_safe: bool
    versions: tuple[AlbumVersion, ...] = field(repr=False)


@dataclass(frozen=True)
class AlbumVersion:
    """A set in one of its sizes.

    Args:
        tag: the tag of its set.
        version: ``Micro`` (20 classes of 40 images), ``Mini`` (40 images of every class that has as many) or
            ``Extended`` (everything).
        openml_id: the dataset of OpenML.
        num_classes: None where the sources disagree.
        num_images: None where the sources disagree.
    """

    tag: str
    version: str
    openml_id: int
    num_classes: int | None
    num_images: int | None

    @property
    def name(self) -> str:
        """What users type: ``BRD/Mini``."""
        return f"{self.tag}/{self.version}"

    @property
    def folder(self) -> str:
        """What its archive calls its folder: ``BRD_Mini``."""
        return f"{self.tag}_{self.version}"

    @property
    def openml_name(self) -> str:
        """What OpenML calls it: ``Meta_Album_BRD_Mini``."""
        return f"Meta_Album_{self.folder}"

    @property
    def album_set(self) -> AlbumSet:
        """The set of which it is a version."""
        return next(album_set for album_set in album_sets() if album_set.tag == self.tag)


def number_of(wanted: AlbumVersion | int) -> int:
    """The number of OpenML of a version, or the number itself, of a dataset outside Meta-Album."""
    return wanted if isinstance(wanted, int) else wanted.openml_id


def name_of(wanted: AlbumVersion | int) -> str:
    """What users type behind ``openml:`` for it."""
    return str(wanted) if isinstance(wanted, int) else wanted.name


@cache
def album_sets() -> tuple[AlbumSet, ...]:
    """The 30 sets, in the order of their release."""
    return tuple(_album_set(row) for row in _table()["sets"])


@cache
def album_versions() -> tuple[AlbumVersion, ...]:
    """The 87 datasets of OpenML, by set, then by size."""
    return tuple(version for album_set in album_sets() for version in album_set.versions)


def table_version() -> int:
    """Grows whenever a number of the table is corrected."""
    return int(_table()["table_version"])


@cache
def _table() -> Any:
    return json.loads(files(__package__).joinpath("table.json").read_text(encoding="utf-8"))


def _album_set(row: dict[str, Any]) -> AlbumSet:
    return AlbumSet(
        tag=row["tag"],
        number=row["set"],
        domain_code=row["domain_code"],
        domain=row["domain"],
        name=row["name"],
        licence=row["licence"],
        in_paper27=row["paper27"],
        mirror_safe=row["mirror_safe"],
        versions=tuple(
            AlbumVersion(row["tag"], version, numbers["openml_id"], numbers["classes"], numbers["images"])
            for version, numbers in row["versions"].items()
        ),
    )
