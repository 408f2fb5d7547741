"""The parser that every verb has."""

from __future__ import annotations

import sys
from argparse import HelpFormatter
from collections.abc import Sequence, Set
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from supernet_tl.command_line.call_errors import sentence_for


class Parser(ArgumentParser):
    """A parser that takes no abbreviated switch and says of a call that cannot be what it expected."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=HelpFormatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2, and a sentence instead of the usage."""
        sentence = sentence_for(message, self)
        if sentence is None:
            super().error(message, ex)
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(2)


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
