"""Selectors by name: this package's own, and those that installed distributions offer.

A distribution offers a selector as an entry point of the group ``supernet_tl.selectors`` whose object is a function
from a ``Question`` to a ``Choice``::

    [project.entry-points."supernet_tl.selectors"]
    my-way = "my_package:choose"
"""

from importlib.metadata import EntryPoint, entry_points

from ot_select.errors import SelectorError
from ot_select.selection.selectors import SELECTORS, Choice, Question, Selector

ENTRY_POINTS = "supernet_tl.selectors"


def selector_names() -> tuple[str, ...]:
    """Names of all selectors there are, this package's first; nothing is imported."""
    return (*SELECTORS, *sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)} - set(SELECTORS)))


def find_selector(name: str) -> Selector:
    """The selector of a name. Names of this package cannot be taken by another.

    Raises:
        SelectorError: there is none, several distributions offer one, or it cannot be imported.
    """
    if name in SELECTORS:
        return SELECTORS[name]
    offered = {(entry.value, _origin(entry)): entry for entry in entry_points(group=ENTRY_POINTS, name=name)}
    if not offered:
        raise SelectorError(
            f"There is no selector {name!r}; there are {', '.join(selector_names())}. Choose one of them, or install "
            "the package that offers it."
        )
    if len(offered) > 1:
        origins = ", ".join(sorted(f"{origin} ({value})" for value, origin in offered))
        raise SelectorError(f"The selector {name!r} is offered {len(offered)} times: {origins}. Uninstall all but one.")
    (entry,) = offered.values()
    try:
        found = entry.load()
    except Exception as error:  # importing other people's code can raise anything
        raise SelectorError(
            f"The selector {name!r} of {_origin(entry)} cannot be imported from {entry.value} "
            f"({type(error).__name__}: {error}). Mend or uninstall that package."
        ) from error
    return _checked(name, entry, found)


def _checked(name: str, entry: EntryPoint, found: object) -> Selector:
    """Other people's selector, whose answers are looked at before they are believed."""
    if not callable(found):
        raise SelectorError(
            f"The selector {name!r} of {_origin(entry)} is {found!r}, but a function from a Question to a Choice is "
            "needed. Mend or uninstall that package."
        )

    def select(question: Question) -> Choice:
        choice = found(question)
        if not isinstance(choice, Choice) or choice.name not in (None, *question.candidates):
            told = repr(choice.name) if isinstance(choice, Choice) else repr(choice)
            raise SelectorError(
                f"The selector {name!r} of {_origin(entry)} chose {told}, but a Choice of one of the candidates, or of "
                "None for scratch, is needed. Mend or uninstall that package."
            )
        return choice

    return select


def _origin(entry: EntryPoint) -> str:
    return "an unnamed distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
