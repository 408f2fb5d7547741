"""What is said of a call that cannot be: sentences in place of what argparse and jsonargparse print."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from supernet_tl.recipe import meant
from supernet_tl.shipped_recipes import shipped_recipes

_HELP = "--help shows how to call this."
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list[int]": "whole numbers in brackets, such as [0, 1]",
    "list[str]": "names in brackets, such as [a, b]",
    "dict[str, typing.Any]": "settings, such as {epochs: 3}",
}


def sentence_for(message: str, parser: ArgumentParser) -> str | None:
    """One sentence that says what was found and what was expected.

    Args:
        message: what argparse or jsonargparse would print.
        parser: that found the fault.

    Returns:
        The sentence, or None where the message tells of something else.
    """
    said = (
        rule(match, parser) for pattern, rule in _RULES.items() if (match := re.search(pattern, message, re.DOTALL))
    )
    return next((sentence for sentence in said if sentence is not None), None)


def _missing(found: re.Match[str], parser: ArgumentParser) -> str:
    told = [_typed(name.strip(), parser) for name in found[1].split(",")]
    return f"{', '.join(told)} {'is' if len(told) == 1 else 'are'} missing; {_HELP}"


def _typed(name: str, parser: ArgumentParser) -> str:
    """An argument as it is typed: a switch, or the word that stands for it in the help."""
    parser, last = _below(name, parser)
    action = next((action for action in parser._actions if action.dest == last), None)
    if action is None:
        return last
    return action.option_strings[0] if action.option_strings else str(action.metavar or last.upper())


def _below(name: str, parser: ArgumentParser) -> tuple[ArgumentParser, str]:
    """The parser of a verb and what a dotted name such as ``zoo.show.entry`` calls there."""
    *verbs, last = name.split(".")
    for verb in verbs:
        parser = parser_below(verb, parser)
    return parser, last


def parser_below(verb: str, parser: ArgumentParser) -> ArgumentParser:
    """The parser of one verb or action of a parser; the parser itself where it has none of that name."""
    return next((choices[verb] for choices in _choices(parser) if verb in choices), parser)


def _choices(parser: ArgumentParser) -> Iterator[Mapping[str, Any]]:
    """The parsers of verbs or actions below."""
    return (action.choices for action in parser._actions if isinstance(action.choices, Mapping))


def _no_verb(found: re.Match[str], parser: ArgumentParser) -> str:
    below, kind = _below(found[1], parser)
    return f"{_a(kind)} is missing; expected one of {', '.join(_names(below))}. {_HELP}"


def _no_choice(found: re.Match[str], parser: ArgumentParser) -> str:
    known, given = _names(parser), found[2][1:-1]
    return f"{given!r} is not {_a(found[1].lower())}{meant(given, known)}; expected one of {', '.join(known)}."


def _a(kind: str) -> str:
    return {"verb": "a verb", "action": "an action"}[kind]


def _names(parser: ArgumentParser) -> list[str]:
    return [name for choices in _choices(parser) for name in choices]


def _unknown(found: re.Match[str], parser: ArgumentParser) -> str:
    given = [word.partition("=")[0] for word in found[1].split() if re.match(r"--?[a-zA-Z]", word)]
    if not given:
        return f"{found[1]} was not expected; {_HELP}"
    known = [switch for action in parser._actions for switch in action.option_strings]
    told = [f"{switch}{meant(switch, known)}" for switch in given]
    return f"{_call(parser)} has no {', '.join(told)}; --help lists what it has."


def _call(parser: ArgumentParser) -> str:
    """The program and its verb as they are typed."""
    return parser.prog.replace(" [options]", "")


def _unknown_setting(found: re.Match[str], parser: ArgumentParser) -> str:
    known = [action.dest for action in parser_below(found[1], parser)._actions]
    hint = meant(found[2].partition(".")[0], known)
    return f"{found[1]} has no setting {found[2]!r}{hint}; --help lists what it has."


def _no_value(found: re.Match[str], _: ArgumentParser) -> str:
    return f"{found[1]} has no value; expected one behind it (one that begins with - is given as {found[1]}=-…)."


def _needless_value(found: re.Match[str], _: ArgumentParser) -> str:
    return f"{found[1]} was given the value {found[2]}; expected {found[1]} alone, which needs none."


def _wrong_value(found: re.Match[str], parser: ArgumentParser) -> str | None:
    key, told = found[1].rpartition(".")[2], found[2]
    given = re.search(r".*(?:Given|Got) value: (.*)", told, re.DOTALL)
    if given is None:
        return None
    value, switch = given[1].strip(), f"--{key.replace('_', '-')}"
    is_told = f"{switch} {'has names below it' if re.match(_NESTED, value) else f'is {value!r}'}"
    choices = re.search(r"Expected a typing\.Literal\[([^\]]*)\]", told)
    if choices is not None:
        allowed = re.findall(r"'([^']*)'", choices[1])
        return f"{is_told}{meant(value, allowed)}; expected one of {', '.join(map(repr, allowed))}."
    kind = re.search(r"Subtypes: \[(.*?), <class 'NoneType'>\]", told) or re.search(r"Expected a (<class '\w+'>)", told)
    name = "" if kind is None else re.sub(r"<class '(\w+)'>", r"\1", kind[1])
    return f"{is_told}; expected {_KINDS[name]}." if name in _KINDS else None


_NESTED = r"(NestedArg|Namespace)\("
"""How jsonargparse shows what was given as ``--switch.name``."""


def _no_file(found: re.Match[str], _: ArgumentParser) -> str:
    name = os.path.relpath(found[2])  # as people type it: jsonargparse tells the whole path
    hint = meant(name, tuple(shipped_recipes()))
    return f"--config is {name!r}, which {_NO_FILE[found[1]]}{hint}; expected a YAML file, or a recipe's name."


_NO_FILE = {
    "File does not exist": "is not there",
    "Path is not a file": "is no file",
    "File is not readable": "may not be read",
}


def _no_name(found: re.Match[str], _: ArgumentParser) -> str:
    return f"a file given with --config holds {found[1]} as a setting's name; expected settings, each as `name: value`."


def _no_settings(found: re.Match[str], _: ArgumentParser) -> str:
    held = " ".join(found[1].split())
    told = f"{held[:60]!r}" if held else "nothing"
    return f"a file given with --config holds {told}; expected settings, each as `name: value`."


def no_yaml(cause: str) -> str:
    """The sentence of a file of settings that cannot be read as YAML."""
    return f"a file given with --config is no YAML: {' '.join(cause.split())}."


def _no_yaml(found: re.Match[str], _: ArgumentParser) -> str:
    return no_yaml(found[1])


_Rule = Callable[[re.Match[str], ArgumentParser], str | None]
_RULES: Mapping[str, _Rule] = {
    r"the following arguments are required: (.*)": _missing,
    r'expected "([\w.]+)" to be one of \{.*but it was not provided': _no_verb,
    r"argument (VERB|ACTION): invalid choice: (.*) \(choose from ": _no_choice,
    r"unrecognized arguments: (.*)": _unknown,
    r"Subcommand '([\w-]+)' does not accept option '([^']*)'": _unknown_setting,
    r"argument (--[\w-]+): expected one argument": _no_value,
    r"argument (--[\w-]+): ignored explicit argument (.*)": _needless_value,
    r"Parser key \"config\": (File does not exist|Path is not a file|File is not readable): '(.*)'": _no_file,
    r"Key must be a string, got: (.*)\.$": _no_name,
    r"Spaces not allowed in keys: (.*)\.$": _no_name,
    r"Unexpected config: (.*)": _no_settings,
    r"Problems parsing config: (.*)": _no_yaml,
    r'Parser key "([\w.]+)":(.*)': _wrong_value,
}
"""By what a message says, the sentence; the first that has one."""
