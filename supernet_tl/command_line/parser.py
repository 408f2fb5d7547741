"""The parser that every verb has."""

from __future__ import annotations

import sys
from argparse import HelpFormatter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from supernet_tl.command_line.call_errors import sentence_for
from supernet_tl.terminal.output import harmless


class Parser(ArgumentParser):
    """A parser that takes no abbreviated switch and says of a call that cannot be what it expected."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=HelpFormatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2, and a sentence instead of the usage."""
        sentence = sentence_for(message, self)
        if sentence is None:
            super().error(message, ex)
        print(f"error: {harmless(sentence)}", file=sys.stderr)
        sys.exit(2)

    def parse_args(self, *given: Any, **options: Any) -> Namespace:  # type: ignore[override]
        """The namespace of a call. Files that hold no text, or for a flag no truth value, end it likewise."""
        try:
            found: Namespace = super().parse_args(*given, **options)
        except UnicodeDecodeError as error:
            self.error(f"Problems parsing config: {error}", error)
        for flag, value in self._flags(found):
            if not isinstance(value, bool):
                self.error(f"Parser key \"{flag}\": Expected a <class 'bool'>. Got value: {value}")
        return found

    def _flags(self, found: Namespace) -> Iterator[tuple[str, Any]]:
        """What a verb's flags were given: a file may hold what no switch would."""
        verb = found.get("verb")
        for choices in (action.choices for action in self._actions if isinstance(action.choices, Mapping)):
            if verb in choices:
                for action in choices[verb]._actions:
                    if action.nargs == 0 and isinstance(action.default, bool):
                        yield action.dest, found[verb].get(action.dest)


def positionals_first(arguments: Sequence[str], flags: Set[str]) -> list[str]:
    """The arguments of an action, switches last: people mix them with others, and argparse must not.

    Args:
        arguments: as they were typed, the action's name first.
        flags: switches that take no value.
    """
    if "--" in arguments:
        return list(arguments)
    positionals: list[str] = []
    switches: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            positionals.append(argument)
            continue
        switches.append(argument)
        if argument not in flags and "=" not in argument:
            switches += [value for value in (next(rest, None),) if value is not None]
    return positionals + switches
