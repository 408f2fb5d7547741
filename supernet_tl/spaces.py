"""Search spaces by name: those of :mod:`darts`, and those that installed distributions offer.

A distribution offers a space as an entry point of the group ``supernet_tl.spaces`` whose object is a
:class:`darts.SearchSpace` of that name::

    [project.entry-points."supernet_tl.spaces"]
    my-space = "my_package:MY_SPACE"

Its primitives are those of :data:`darts.PRIMITIVES`.
"""

from __future__ import annotations

import darts
from ot_select.plugins import load_offered, offered_names
from supernet_tl.errors import RecipeError

ENTRY_POINTS = "supernet_tl.spaces"


def space_names() -> tuple[str, ...]:
    """Names of all spaces there are, this project's first; nothing is imported."""
    return (*darts.SPACES, *(name for name in offered_names(ENTRY_POINTS) if name not in darts.SPACES))


def find_space(name: str) -> darts.SearchSpace:
    """The space of a name. Names of this project cannot be taken by another.

    Raises:
        RecipeError: there is none, several distributions offer one, or what is offered is none.
    """
    if name in darts.SPACES:
        return darts.SPACES[name]
    found, origin = load_offered(ENTRY_POINTS, name, "search space", tuple(darts.SPACES), RecipeError)
    if not isinstance(found, darts.SearchSpace) or found.name != name:
        raise RecipeError(
            f"The search space {name!r} of {origin} is {found!r}, but a darts.SearchSpace of that name is needed. Mend "
            "or uninstall that package."
        )
    return found
