"""Image sets of other packages: ``PREFIX:...`` where an installed distribution offers that prefix.

A distribution offers a source as an entry point of the group ``supernet_tl.data_sources`` whose object is a function
from what stands behind the prefix to a :class:`supernet_tl.data.ImageSet`::

    [project.entry-points."supernet_tl.data_sources"]
    mine = "my_package:open_images"

Its images then are ``mine:...`` wherever images are asked for. Prefixes of this project cannot be taken by another.
"""

from __future__ import annotations

import os
import re

from ot_select.plugins import load_offered, offered_names
from supernet_tl.data.errors import SourceOfferError
from supernet_tl.data.image_set import ImageSet

ENTRY_POINTS = "supernet_tl.data_sources"
_PREFIX = re.compile(r"([a-z][a-z0-9_-]+):(?!//)(.*)", re.DOTALL)


def open_offered(text: str) -> ImageSet | None:
    """The image set that is meant, by whoever offers its prefix; None where nobody does, or a file bears that name.

    Raises:
        SourceOfferError: several distributions offer it, it cannot be imported, or what it opens is no image set.
    """
    found = _PREFIX.fullmatch(text)
    if found is None or os.path.lexists(text) or found[1] not in offered_names(ENTRY_POINTS):
        return None
    prefix, rest = found.groups()
    source, origin = load_offered(ENTRY_POINTS, prefix, "data source", (), SourceOfferError)
    opened = source(rest) if callable(source) else source
    if not isinstance(opened, ImageSet):
        raise SourceOfferError(
            f"the data source {prefix!r} of {origin} gave {type(opened).__name__} for {rest!r}; expected a function "
            "that returns an ImageSet. Mend or uninstall that package."
        )
    return opened
