"""The table of contents of the pocket album."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from supernet_tl.data.errors import SourceNotFoundError
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.sources.pocket.faces import faces
from supernet_tl.data.sources.pocket.glyphs import SCRIPTS, glyphs
from supernet_tl.data.sources.pocket.handwriting import digits, mnist5k
from supernet_tl.data.sources.pocket.photographs import photos, textures

_ALBUM: dict[str, Callable[[], ImageSet]] = {
    "digits": digits,
    "mnist5k": mnist5k,
    "textures": textures,
    "photos": photos,
    "faces": faces,
    **{f"glyphs_{script}": partial(glyphs, script) for script in SCRIPTS},
}

POCKET_NAMES: tuple[str, ...] = tuple(_ALBUM)
"""The names that ``open_pocket`` knows."""


def open_pocket(name: str) -> ImageSet:
    """One set of the pocket album, the same bytes on every call.

    Args:
        name: one of ``POCKET_NAMES``.

    Raises:
        SourceNotFoundError: there is no such set.
        MissingPackageError: the package that carries the images is not installed.
    """
    if name not in _ALBUM:
        raise SourceNotFoundError(
            f"the pocket album has no set {name!r}; expected one of {', '.join(POCKET_NAMES)}. Write pocket:NAME."
        )
    return _ALBUM[name]()
