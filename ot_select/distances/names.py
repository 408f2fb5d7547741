"""Dataset distances by name, as a command line or a recipe gives them."""

from difflib import get_close_matches
from typing import cast

from ot_select.distances.bures import BuresWasserstein
from ot_select.distances.otdd import OTDD
from ot_select.distances.protocol import DatasetDistance
from ot_select.errors import OptionError
from ot_select.plugins import load_offered, offered_names

ENTRY_POINTS = "supernet_tl.distances"
"""Group in which distributions offer distances: a :class:`DatasetDistance` each, under the name that it bears."""

_DISTANCES: tuple[DatasetDistance, ...] = (
    OTDD(),
    OTDD.paper(),
    OTDD(inner="diagonal"),
    OTDD(inner="means"),
    OTDD(inner="exact"),
    BuresWasserstein(),
)


def parse_distance(name: str) -> DatasetDistance:
    """The distance of that name.

    Args:
        name: ``"otdd"`` (exact coupling, classes as Gaussians), ``"otdd-paper"`` (debiased entropic coupling),
            ``"otdd-diagonal"``, ``"otdd-means"``, ``"otdd-exact"`` (exact coupling, that distance between classes), or
            ``"bures"`` (whole datasets as Gaussians); or one that an installed distribution offers as an entry point
            of the group ``supernet_tl.distances``.

    Raises:
        OptionError: no distance has that name, or what is offered under it is none.
    """
    named = {distance.name: distance for distance in _DISTANCES}
    if not isinstance(name, str):
        raise OptionError(f"The distance is {name!r}, but one of the names {', '.join(named)} is needed.")
    if name in named:
        return named[name]
    offered = offered_names(ENTRY_POINTS)
    if name not in offered:
        near = get_close_matches(name, (*named, *offered), n=1)
        raise OptionError(
            f"There is no distance {name!r}; the distances are {', '.join((*named, *offered))}. "
            + (f"Did you mean {near[0]!r}?" if near else "Name one of them.")
        )
    found, origin = load_offered(ENTRY_POINTS, name, "distance", tuple(named), OptionError)
    if not callable(found) or getattr(found, "name", None) != name:
        raise OptionError(
            f"The distance {name!r} of {origin} is {found!r}, but a distance of that name is needed: something "
            "callable with two clouds, whose attribute `name` is that word. Mend or uninstall that package."
        )
    return cast(DatasetDistance, found)
