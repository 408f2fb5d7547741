"""The parser that every verb has."""

from __future__ import annotations

import re
import sys
from argparse import SUPPRESS, HelpFormatter
from collections.abc import Mapping, Sequence, Set
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from supernet_tl.recipe import meant

_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


class Parser(ArgumentParser):
    """A parser that takes no abbreviated switch and says of a wrong value what it expected."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=HelpFormatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2, and a sentence instead of the usage where the value of a switch is wrong."""
        sentence = _wrong_value(message) or self._missing(message) or self._unknown(message) or _no_choice(message)
        if sentence is None:
            super().error(message, ex)
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(2)

    def _missing(self, message: str) -> str | None:
        """What argparse says of arguments that are not there, as people type them."""
        found = re.search(r"the following arguments are required: (.*)", message)
        if found is None:
            return None
        told = [self._typed(name.strip()) for name in found[1].split(",")]
        return f"{', '.join(told)} {'is' if len(told) == 1 else 'are'} missing; --help shows how to call this."

    def _typed(self, name: str) -> str:
        """An argument as it is typed, from a name such as ``zoo.show.entry``: a switch, or a word in capitals."""
        *verbs, last = name.split(".")
        parser: ArgumentParser = self
        for verb in verbs:
            below = (action.choices for action in parser._actions if isinstance(action.choices, Mapping))
            parser = next((choices[verb] for choices in below if verb in choices), parser)
        switches = (
            action.option_strings[0] for action in parser._actions if action.dest == last and action.option_strings
        )
        return next(switches, last if last.startswith("-") else last.upper())

    def _unknown(self, message: str) -> str | None:
        """What argparse says of switches that there are not, with the nearest that there is."""
        found = re.search(r"unrecognized arguments: (.*)", message, re.DOTALL)
        if found is None:
            return None
        given = [word.partition("=")[0] for word in found[1].split() if word.startswith("--")]
        if not given:
            return f"{found[1]} was not expected; --help shows how to call this."
        known = [switch for action in self._actions for switch in action.option_strings if action.help != SUPPRESS]
        told = [f"{switch}{meant(switch, known)}" for switch in given]
        verb = self.prog.replace(" [options]", "")
        return f"{verb} has no {', '.join(told)}; --help lists what it has."


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


def _no_choice(message: str) -> str | None:
    """What argparse says of a verb or an action that there is not."""
    found = re.search(r"argument (VERB|ACTION): invalid choice: '([^']*)' \(choose from (.*)\)", message)
    if found is None:
        return None
    known = [name.strip(" '") for name in found[3].split(",")]
    kind = {"VERB": "a verb", "ACTION": "an action"}[found[1]]
    return f"{found[2]!r} is not {kind}{meant(found[2], known)}; expected one of {', '.join(known)}."


def _wrong_value(message: str) -> str | None:
    """What jsonargparse says of a value of the wrong type, as a sentence; None where it speaks of something else."""
    key, given = re.search(r'Parser key "([\w.]+)"', message), re.search(r"(?:Given|Got) value: (.*)", message)
    if key is None or given is None:
        return None
    value, switch = given[1].strip(), f"--{key[1].rpartition('.')[2].replace('_', '-')}"
    choices = re.search(r"Expected a typing\.Literal\[(.*)\]", message)
    if choices is not None:
        allowed = re.findall(r"'([^']*)'", choices[1])
        return f"{switch} is {value!r}{meant(value, allowed)}; expected one of {', '.join(map(repr, allowed))}."
    kind = re.search(r"Expected a <class '(\w+)'>", message)
    return None if kind is None or kind[1] not in _KINDS else f"{switch} is {value!r}; expected {_KINDS[kind[1]]}."
