"""Selectors by name: this package's own, and those that installed distributions offer.

A distribution offers a selector as an entry point of the group ``supernet_tl.selectors`` whose object is a function
from a ``Question`` to a ``Choice``::

    [project.entry-points."supernet_tl.selectors"]
    my-way = "my_package:choose"
"""

from ot_select.errors import SelectorError
from ot_select.plugins import load_offered, offered_names
from ot_select.selection.selectors import SELECTORS, Choice, Question, Selector

ENTRY_POINTS = "supernet_tl.selectors"


def selector_names() -> tuple[str, ...]:
    """Names of all selectors there are, this package's first; nothing is imported."""
    return (*SELECTORS, *(name for name in offered_names(ENTRY_POINTS) if name not in SELECTORS))


def find_selector(name: str) -> Selector:
    """The selector of a name. Names of this package cannot be taken by another.

    Raises:
        SelectorError: there is none, several distributions offer one, or it cannot be imported.
    """
    if name in SELECTORS:
        return SELECTORS[name]
    found, origin = load_offered(ENTRY_POINTS, name, "selector", tuple(SELECTORS), SelectorError)
    return _checked(name, origin, found)


def _checked(name: str, origin: str, found: object) -> Selector:
    """Other people's selector, whose answers are looked at before they are believed."""
    if not callable(found):
        raise SelectorError(
            f"The selector {name!r} of {origin} is {found!r}, but a function from a Question to a Choice is "
            "needed. Mend or uninstall that package."
        )

    def select(question: Question) -> Choice:
        choice = found(question)
        if not isinstance(choice, Choice) or choice.name not in (None, *question.candidates):
            told = repr(choice.name) if isinstance(choice, Choice) else repr(choice)
            raise SelectorError(
                f"The selector {name!r} of {origin} chose {told}, but a Choice of one of the candidates, or of "
                "None for scratch, is needed. Mend or uninstall that package."
            )
        return choice

    return select
