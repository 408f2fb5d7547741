"""The parser that every verb has."""

from __future__ import annotations

import difflib
import re
import sys
from argparse import HelpFormatter
from collections.abc import Sequence, Set
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


class Parser(ArgumentParser):
    """A parser that takes no abbreviated switch and says of a wrong value what it expected."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=HelpFormatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2, and a sentence instead of the usage where the value of a switch is wrong."""
        sentence = _wrong_value(message) or _missing(message)
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


def _missing(message: str) -> str | None:
    """What argparse says of positional arguments that are not there, in their own names."""
    found = re.search(r"the following arguments are required: (.*)", message)
    if found is None:
        return None
    names = [name.strip() for name in found[1].split(",")]
    told = [name if name.startswith("-") else name.rpartition(".")[2].upper() for name in names]
    return f"{', '.join(told)} {'is' if len(told) == 1 else 'are'} missing; --help shows how to call this."


def _wrong_value(message: str) -> str | None:
    """What jsonargparse says of a value of the wrong type, as a sentence; None where it speaks of something else."""
    key, given = re.search(r'Parser key "([\w.]+)"', message), re.search(r"(?:Given|Got) value: (.*)", message)
    if key is None or given is None:
        return None
    value, switch = given[1].strip(), f"--{key[1].rpartition('.')[2].replace('_', '-')}"
    choices = re.search(r"Expected a typing\.Literal\[(.*)\]", message)
    if choices is not None:
        allowed = re.findall(r"'([^']*)'", choices[1])
        near = difflib.get_close_matches(value, allowed, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        return f"{switch} is {value!r}; expected one of {', '.join(map(repr, allowed))}{meant}"
    kind = re.search(r"Expected a <class '(\w+)'>", message)
    return None if kind is None or kind[1] not in _KINDS else f"{switch} is {value!r}; expected {_KINDS[kind[1]]}."
