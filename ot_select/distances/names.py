"""Dataset distances by name, as a command line or a recipe gives them."""

from difflib import get_close_matches

from ot_select.distances.bures import BuresWasserstein
from ot_select.distances.otdd import OTDD
from ot_select.distances.protocol import DatasetDistance
from ot_select.errors import OptionError

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
            ``"bures"`` (whole datasets as Gaussians).

    Raises:
        OptionError: no distance has that name.
    """
    named = {distance.name: distance for distance in _DISTANCES}
    if not isinstance(name, str):
        raise OptionError(f"The distance is {name!r}, but one of the names {', '.join(named)} is needed.")
    if name not in named:
        near = get_close_matches(name, named, n=1)
        raise OptionError(
            f"There is no distance {name!r}; the distances are {', '.join(named)}. "
            + (f"Did you mean {near[0]!r}?" if near else "Name one of them.")
        )
    return named[name]
