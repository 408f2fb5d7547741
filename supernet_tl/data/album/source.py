"""``openml:BRD/Mini`` and ``openml:44285`` as image sets."""

from __future__ import annotations

import dataclasses

from supernet_tl.data.album.download import get
from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.kept import KeptSet
from supernet_tl.data.album.lookup import find, find_id, is_gap
from supernet_tl.data.album.table import AlbumVersion
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.sources.meta_album_folder import open_meta_album

OPENML_PREFIX = "openml:"


def open_openml(name: str, fetching: Fetching | None = None) -> ImageSet:
    """A dataset of OpenML, downloaded where it is not kept, or where what is kept is damaged in any byte.

    Args:
        name: ``TAG/VERSION`` of Meta-Album, or the number of any dataset of OpenML that has images in its layout.
        fetching: what is told to whom, and whether anything may be downloaded.

    Raises:
        SourceNotFoundError: the name names nothing.
        DownloadError: it is not kept and cannot be had.
        LayoutError: it has no images in the Meta-Album layout.
    """
    wanted = named(name)
    found = get(wanted, fetching, thorough=True)  # quick beside the training that follows
    images = open_meta_album(found.path)
    return _with_card(images, found)


def named(name: str) -> AlbumVersion | int:
    """The version of Meta-Album that a name or number stands for; else the number, of another dataset of OpenML.

    Raises:
        SourceNotFoundError: it is no number, and names nothing of Meta-Album.
    """
    words = name.strip()
    if words.isdecimal() and find_id(int(words)) is None and not is_gap(int(words)):
        return int(words)
    return find(words)


def _with_card(images: ImageSet, found: KeptSet) -> ImageSet:
    version, card = found.version, found.card
    if version is None:
        name = card.openml_name
        origin, domain, mirror_safe = f"OpenML {card.openml_id} ({name})", images.card.domain, False
    else:
        name = version.folder
        origin = f"OpenML {card.openml_id} (Meta-Album {version.tag} {version.version})"
        domain, mirror_safe = version.album_set.domain, version.album_set.mirror_safe
    described = dataclasses.replace(
        images.card, name=name, origin=origin, licence=card.licence, domain=domain, mirror_safe=mirror_safe
    )
    return dataclasses.replace(images, name=name, card=described)
