"""From the words that name a set of Meta-Album, or a group of sets, to the rows of its table."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

from supernet_tl.data.album.table import VERSIONS, AlbumSet, AlbumVersion, album_sets, album_versions
from supernet_tl.data.errors import SourceNotFoundError, listing

_GROUPS: dict[str, Callable[[AlbumSet], bool]] = {
    "all": lambda album_set: True,
    "paper27": lambda album_set: album_set.in_paper27,
    "set0": lambda album_set: album_set.number == 0,
    "set1": lambda album_set: album_set.number == 1,
    "set2": lambda album_set: album_set.number == 2,
}
GROUPS = tuple(_GROUPS)
_NAMING = "TAG/VERSION such as BRD/Mini, or a number of OpenML such as 44285"
_SEPARATORS = re.compile(r"[\s/_-]+")


def find(text: str) -> AlbumVersion:
    """The version that ``BRD/Mini``, ``brd/mini``, ``BRD_Mini``, ``Meta_Album_BRD_Mini`` or ``44285`` names.

    Raises:
        SourceNotFoundError: it names none; the sentence has those that are written almost alike.
    """
    words = text.strip()
    if words.isdecimal():
        return _by_id(int(words))
    tag, version = _parts(words)
    album_set = next((known for known in album_sets() if _plain(known.tag) == tag), None)
    if album_set is None:
        raise SourceNotFoundError(_unknown_tag(text, tag, version))
    if not version:
        names = [found.name for found in album_set.versions]
        raise SourceNotFoundError(
            f"{text!r} names a set of Meta-Album without its version; expected one of {', '.join(names)}. Name one."
        )
    for found in album_set.versions:
        if found.version.lower() == version:
            return found
    names = [found.name for found in album_set.versions]
    if version == "extended":
        raise SourceNotFoundError(
            f"{text!r} names a version that was not released: Meta-Album's sets of characters have no Extended; "
            f"expected one of {', '.join(names)}. Name one."
        )
    raise SourceNotFoundError(
        f"{text!r} names no version of {album_set.tag}; expected one of {', '.join(names)}. "
        f"{_did_you_mean(version, [found.version.lower() for found in album_set.versions], _capital)}"
    )


def find_id(openml_id: int) -> AlbumVersion | None:
    """The version that OpenML knows by a number; None where the number is none of Meta-Album's."""
    return next((version for version in album_versions() if version.openml_id == openml_id), None)


def is_gap(openml_id: int) -> bool:
    """Whether a number is none of Meta-Album's though both its neighbours are, such as 44311."""
    return find_id(openml_id) is None and all(find_id(openml_id + step) is not None for step in (-1, 1))


def select(text: str) -> tuple[AlbumVersion, ...]:
    """The versions that a name, or the name of a group, stands for.

    Args:
        text: as for :func:`find`, or ``GROUP/VERSION``, where a group is ``all``, ``paper27``, ``set0``, ``set1`` or
            ``set2``. Of ``all/Extended`` the three sets that have no Extended are left out.

    Raises:
        SourceNotFoundError: it names none.
    """
    group, slash, version = text.strip().partition("/")
    chosen = _GROUPS.get(group.lower())
    if chosen is None:
        return (find(text),)
    wanted = version.strip().lower()
    if wanted not in (known.lower() for known in VERSIONS):
        given = f"the version {version!r}" if slash else "no version"
        raise SourceNotFoundError(
            f"{text!r} names a group of Meta-Album's sets with {given}; expected "
            f"{', '.join(f'{group.lower()}/{known}' for known in VERSIONS)}. Name one."
        )
    return tuple(
        found
        for album_set in album_sets()
        if chosen(album_set)
        for found in album_set.versions
        if found.version.lower() == wanted
    )


def of_tag_or_group(text: str) -> tuple[AlbumVersion, ...]:
    """All versions of the set that a tag names, or of the sets of a group; none where the text is neither."""
    words = _plain(text)

    def is_named(album_set: AlbumSet) -> bool:
        return _plain(album_set.tag) == words

    chosen = _GROUPS.get(words, is_named)
    return tuple(found for album_set in album_sets() if chosen(album_set) for found in album_set.versions)


def _by_id(openml_id: int) -> AlbumVersion:
    found = find_id(openml_id)
    if found is not None:
        return found
    if is_gap(openml_id):
        beside = (version for version in album_versions() if abs(version.openml_id - openml_id) == 1)
        near = [f"{v.openml_id} ({v.name})" for v in sorted(beside, key=lambda version: version.openml_id)]
        raise SourceNotFoundError(
            f"{openml_id} is none of Meta-Album's numbers, though it lies between them; expected {_NAMING}. "
            f"Beside it are {listing(near)}."
        )
    ids = [version.openml_id for version in album_versions()]
    raise SourceNotFoundError(
        f"{openml_id} is none of Meta-Album's numbers, which lie between {min(ids)} and {max(ids)}; expected "
        f"{_NAMING}. `supernet-tl data list` shows them all."
    )


def _parts(text: str) -> tuple[str, str]:
    """Tag and version in lower case, the tag's words joined by ``_``; an empty version where none is named."""
    words = [word for word in _SEPARATORS.split(text.lower()) if word]
    if words[:2] == ["meta", "album"]:
        words = words[2:]
    tag = "_".join(words)
    if "/" in text:
        tag, _, version = text.lower().rpartition("/")
        return _plain(tag).removeprefix("meta_album_"), version.strip()
    for version in VERSIONS:
        head = tag.removesuffix(f"_{version.lower()}")
        if head != tag:
            return head, version.lower()
    return tag, ""


def _plain(tag: str) -> str:
    return "_".join(word for word in _SEPARATORS.split(tag.lower()) if word)


def _unknown_tag(text: str, tag: str, version: str) -> str:
    ending = _capital(version) if version in (known.lower() for known in VERSIONS) else ""
    tags = {_plain(known.tag): known.tag for known in album_sets()}
    names = {known.name.lower(): known.tag for known in album_sets()}

    def spelled(close: str) -> str:
        found = tags.get(close) or names[close]
        return f"{found}/{ending}" if ending else found

    words = tag.replace("_", " ")
    near = _close(tag, tags) or _close(words, names)
    hint = f"Did you mean {listing([spelled(close) for close in near])}?" if near else "See `supernet-tl data list`."
    return f"{text!r} names no set of Meta-Album; expected {_NAMING}. {hint}"


def _close(text: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(text, list(known), n=3, cutoff=0.6)


def _did_you_mean(text: str, known: list[str], spelled: Callable[[str], str]) -> str:
    near = _close(text, known)
    return f"Did you mean {listing([spelled(close) for close in near])}?" if near else "Name one."


def _capital(version: str) -> str:
    return version.capitalize()
