"""The parser that every verb has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence, Set
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from supernet_tl.command_line.call_errors import no_yaml, parser_below, sentence_for
from supernet_tl.terminal.output import harmless


class Parser(ArgumentParser):
    """A parser that takes no abbreviated switch and says of a call that cannot be what it expected."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=argparse.HelpFormatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2, and a sentence instead of the usage."""
        sentence = sentence_for(message, self)
        if sentence is None:
            super().error(message, ex)
        _end(sentence)

    def parse_args(self, *given: Any, **options: Any) -> Namespace:  # type: ignore[override]
        """The namespace of a call. Files that hold no text, or for a flag no truth value, end it likewise."""
        try:
            found: Namespace = super().parse_args(*given, **options)
        except UnicodeDecodeError as error:
            _end(no_yaml(str(error)))
        verb = found.get("verb") or ""
        if (below := parser_below(verb, self)) is not self:  # `recipe validate` has a switch of that name
            for flag in _flags(below):
                if not isinstance(value := found[verb].get(flag), bool):
                    _end(f"--{flag.replace('_', '-')} is {str(value)!r}; expected true or false.")
        return found


def _end(sentence: str) -> NoReturn:
    print(f"error: {harmless(sentence)}", file=sys.stderr)
    sys.exit(2)


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    """The names of switches that take no value; a file may give them one."""
    return [action.dest for action in parser._actions if action.nargs == 0 and isinstance(action.default, bool)]


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
