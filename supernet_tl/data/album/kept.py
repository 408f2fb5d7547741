"""The datasets of OpenML that this machine keeps.

``<datasets>/openml/<id>/`` holds ``card.json`` and one folder in the Meta-Album layout. It appears at once, when it is
whole and has been checked; nothing in it is written to afterwards.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet_tl.data.album.inspection import contents, inspect, names_and_sizes
from supernet_tl.data.album.lookup import find_id
from supernet_tl.data.album.table import AlbumVersion, name_of, number_of
from supernet_tl.data.errors import LayoutError, SourceNotFoundError
from supernet_tl.data.image_set import Progress
from supernet_tl.data.places import datasets_dir

_SCHEMA = 1
_CARD = "card.json"


@dataclass(frozen=True)
class FetchedFile:
    """A file of OpenML, as it was downloaded.

    Args:
        name: without its folder.
        url: where it was.
        num_bytes: its size.
        etag: what the server called this state of it.
        sha256: of its bytes.
    """

    name: str
    url: str
    num_bytes: int
    etag: str
    sha256: str


@dataclass(frozen=True)
class KeptCard:
    """What was known when a dataset was downloaded and had passed its checks.

    Args:
        openml_id: its number.
        openml_name: what OpenML calls it.
        licence: for Meta-Album that of its table, else what OpenML states; "not stated" where it states nothing.
        openml_licence: what OpenML states.
        description: OpenML's.
        folder: the name of the folder beside the card.
        downloaded: when, ISO 8601, UTC.
        files: what was downloaded.
        num_rows: rows of labels.csv, each with its image.
        num_classes: categories among them.
        num_bytes: size of the folder.
        names_and_sizes: SHA-256 over them.
        contents: SHA-256 over names and bytes.
        table_version: of the table of Meta-Album that it was held against.
        remarks: what was unlike Meta-Album without doing harm.
    """

    openml_id: int
    openml_name: str
    licence: str
    openml_licence: str
    description: str
    folder: str
    downloaded: str
    files: tuple[FetchedFile, ...]
    num_rows: int
    num_classes: int
    num_bytes: int
    names_and_sizes: str
    contents: str
    table_version: int
    remarks: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write the card into a folder, and wait until it is on the disk."""
        text = json.dumps({"schema": _SCHEMA, **dataclasses.asdict(self)}, indent=1, ensure_ascii=False)
        with (folder / _CARD).open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> KeptCard:
        """The card of a folder.

        Raises:
            LayoutError: it cannot be understood.
        """
        path = folder / _CARD
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("schema") != _SCHEMA:
                raise ValueError("it has another schema")
            files = tuple(FetchedFile(**file) for file in values.pop("files"))
            card = cls(files=files, remarks=tuple(values.pop("remarks")), **values)
            if card.openml_id != int(folder.name) or Path(card.folder).name != card.folder or card.folder == "..":
                raise ValueError("it is the card of another folder")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise LayoutError(
                f"{path} cannot be understood ({error}); expected the card of a downloaded dataset. Fetch the dataset "
                f"again with `supernet-tl data get`."
            ) from error
        return card


@dataclass(frozen=True)
class KeptSet:
    """A dataset that this machine keeps.

    Args:
        path: its folder, in the Meta-Album layout.
        card: what was known when it was downloaded.
    """

    path: Path
    card: KeptCard

    @property
    def version(self) -> AlbumVersion | None:
        """What of Meta-Album it is; None where it is none of it."""
        return find_id(self.card.openml_id)

    def damage(self, *, thorough: bool = False) -> str | None:
        """In what it differs from what was downloaded, if in anything.

        Args:
            thorough: hold every byte against what it was, and not names and sizes alone.
        """
        if not self.path.is_dir() or names_and_sizes(self.path)[0] != self.card.names_and_sizes:
            return "files are missing, or there are others, or they have other sizes than when they were downloaded"
        if thorough and contents(self.path) != self.card.contents:
            return "files hold other bytes than when they were downloaded"
        return None


def openml_dir() -> Path:
    """Where datasets of OpenML are kept."""
    return datasets_dir() / "openml"


def find_kept(openml_id: int) -> KeptSet | None:
    """A dataset that is kept; None where it is not.

    Raises:
        LayoutError: its card cannot be understood.
    """
    folder = openml_dir() / str(openml_id)
    if not folder.exists():
        return None
    card = KeptCard.read(folder)
    return KeptSet(folder / card.folder, card)


def kept() -> tuple[KeptSet, ...]:
    """All datasets of OpenML that are kept, by number; those whose cards cannot be understood are left out."""
    return tuple(found for found, _ in _all_kept() if found is not None)


def damaged_cards() -> tuple[str, ...]:
    """A sentence for each kept dataset whose card cannot be understood."""
    return tuple(fault for _, fault in _all_kept() if fault)


def verify(wanted: AlbumVersion | int, progress: Progress | None = None) -> list[str]:
    """What is wrong with a kept dataset, a sentence each; nothing is changed.

    Every file is held against what was downloaded, every row of labels.csv against its image, every image is decoded,
    unless its very content was before.

    Args:
        wanted: of Meta-Album, or a number of OpenML.
        progress: called after each image that is decoded.

    Raises:
        SourceNotFoundError: it is not kept.
    """
    openml_id, name = number_of(wanted), name_of(wanted)
    try:
        found = find_kept(openml_id)
    except LayoutError as error:
        return [str(error)]
    if found is None:
        raise SourceNotFoundError(
            f"openml:{name} is not kept in {openml_dir()}; expected a dataset that was downloaded. Fetch it with "
            f"`supernet-tl data get {name}`."
        )
    damage = found.damage(thorough=True)
    problems = [] if damage is None else [f"{found.path}: {damage}."]
    return problems + list(inspect(found.path, found.version, progress).problems)


def _all_kept() -> list[tuple[KeptSet | None, str]]:
    found: list[tuple[KeptSet | None, str]] = []
    folders = openml_dir().iterdir() if openml_dir().is_dir() else ()
    for folder in sorted((folder for folder in folders if folder.name.isdigit()), key=lambda path: int(path.name)):
        try:
            found.append((find_kept(int(folder.name)), ""))
        except LayoutError as error:
            found.append((None, str(error)))
    return found
