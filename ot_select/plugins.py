"""What installed distributions offer by name, as entry points; nothing is imported before it is asked for."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points


def offered_names(group: str) -> list[str]:
    """Names that the distributions offer in a group, in order."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load_offered(group: str, name: str, what: str, own: Sequence[str], error: type[Exception]) -> tuple[object, str]:
    """What a distribution offers under a name, and which distribution that is.

    Args:
        group: of entry points.
        name: of the entry point.
        what: such things are called, for errors.
        own: names that the caller has itself.
        error: that is raised.

    Raises:
        Exception: ``error``, where nobody offers it, several distributions do, or it cannot be imported.
    """
    offered = {(entry.value, origin_of(entry)): entry for entry in entry_points(group=group, name=name)}
    if not offered:
        names = ", ".join((*own, *offered_names(group)))
        raise error(
            f"There is no {what} {name!r}; there are {names}. Choose one of them, or install the package that offers "
            "it."
        )
    if len(offered) > 1:
        origins = ", ".join(sorted(f"{origin} ({value})" for value, origin in offered))
        raise error(f"The {what} {name!r} is offered {len(offered)} times: {origins}. Uninstall all but one.")
    (entry,) = offered.values()
    try:
        return entry.load(), origin_of(entry)
    except Exception as failed:  # importing other people's code can raise anything
        raise error(
            f"The {what} {name!r} of {origin_of(entry)} cannot be imported from {entry.value} "
            f"({type(failed).__name__}: {failed}). Mend or uninstall that package."
        ) from failed


def origin_of(entry: EntryPoint) -> str:
    """The distribution that offers something."""
    return "an unnamed distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
