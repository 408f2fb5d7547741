"""The arguments of ``supernet-tl zoo``."""

from __future__ import annotations

from typing import Literal

from supernet_tl.command_line.parser import Parser

ZOO = (
    "folder, s3://BUCKET/PREFIX, hf://OWNER/NAME (Hugging Face Hub), another URL that fsspec knows, or starter: the "
    "one that comes with the package"
)
_ENTRY = "an alias, an id, its first 6 or more characters, or a name"
_ELSEWHERE = (
    "Elsewhere: s3:// takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or a profile, and AWS_ENDPOINT_URL; hf:// takes "
    "HF_TOKEN or `hf auth login`. SUPERNET_TL_OFFLINE=1 asks no network and uses the copies kept in SUPERNET_TL_CACHE "
    "(default: ~/.cache/supernet-tl)."
)
FLAGS = frozenset(
    ("--json", "--quiet", "--fix", "--delete", "--aliases", "--no-aliases", "--cache", "--public", "--help", "-h")
)
"""Switches that take no value."""


def add_zoo_actions(parser: Parser) -> None:
    """Give the parser of ``supernet-tl zoo`` its actions."""
    actions = parser.add_subcommands(dest="action", metavar="ACTION")
    for name, build, text in (
        ("list", _list, "one line for each entry, or for those that fit"),
        ("show", _show, "what is known of one entry, or of all"),
        ("verify", _verify, "read every byte and say what is wrong; --fix moves damaged entries to quarantine"),
        ("add", _add, "add entries that lie in folders, as `get` writes them"),
        ("get", _get, "write the files of an entry to a new folder"),
        ("alias", _alias, "list the aliases, or point one at an entry"),
        ("rm", _rm, "delete entries"),
        ("gc", _gc, "delete what interrupted writers left, or copies of what lies afar"),
        ("copy", _copy, "copy entries from one zoo to another"),
        ("push", _push, "the same, from a zoo here to one elsewhere"),
        ("pull", _pull, "the same, from a zoo elsewhere to one here"),
    ):
        action = Parser(description=f"Zoo: {text}.", epilog=_ELSEWHERE)
        build(action)
        action.add_argument("--json", action="store_true", help="print JSON")
        actions.add_subcommand(name, action, help=text)


def _list(parser: Parser) -> None:
    _zoo(parser)
    wanted = parser.add_argument_group("only entries with")
    for switch, kind, text in (
        ("--space", str, "a search space, such as s1"),
        ("--kind", Literal["single", "mixture"], "single or mixture"),
        ("--name", str, "the name of its source; * stands for any text"),
        ("--channels", int, "channels of the first cells"),
        ("--num-cells", int, "cells"),
        ("--image-size", int, "pixels a side"),
        ("--max-size", str, "at most this size, such as 500kB, 5MB or 2GiB"),
    ):
        metavar = switch.removeprefix("--").upper().replace("-", "_")
        wanted.add_argument(switch, type=kind | None, metavar=metavar, help=text)
    for switch, text in (
        ("--licence", "a licence that each of its sources must have, such as 'CC BY*'; of several given, one"),
        ("--tag", "a tag; of several given, all"),
    ):
        metavar = switch.removeprefix("--").upper()
        wanted.add_argument(switch, type=str, action="append", metavar=metavar, help=f"{text}; repeatable")


def _show(parser: Parser) -> None:
    _zoo(parser)
    parser.add_argument("entry", type=str, nargs="?", metavar="ENTRY", help=_ENTRY)


def _verify(parser: Parser) -> None:
    _zoo(parser)
    _entries(parser, "all entries when absent")
    parser.add_argument(
        "--fix", action="store_true", help="move damaged entries to ZOO/quarantine, where nothing is deleted"
    )
    _quiet(parser)


def _add(parser: Parser) -> None:
    _zoo(parser)
    parser.add_argument("folders", type=str, nargs="+", metavar="FOLDER", help="an entry's five files")
    parser.add_argument(
        "--alias", type=str | None, metavar="NAME", help="name of the one that is added, such as plk-s1-c16"
    )


def _get(parser: Parser) -> None:
    _zoo(parser)
    parser.add_argument("entry", type=str, metavar="ENTRY", help=_ENTRY)
    parser.add_argument("--output", type=str, required=True, metavar="DIR", help="a new folder")


def _alias(parser: Parser) -> None:
    _zoo(parser)
    parser.add_argument("alias", type=str, nargs="?", metavar="ALIAS", help="such as plk-s1-c16; all when absent")
    parser.add_argument("entry", type=str, nargs="?", metavar="ENTRY", help=f"to point at: {_ENTRY}")
    parser.add_argument("--delete", action="store_true", help="forget ALIAS; its entry stays")


def _rm(parser: Parser) -> None:
    _zoo(parser)
    parser.add_argument("entries", type=str, nargs="+", metavar="ENTRY", help=_ENTRY)
    parser.add_argument("--aliases", action="store_true", help="also delete the aliases that point at them")


def _gc(parser: Parser) -> None:
    parser.add_argument("zoo", type=str, nargs="?", metavar="ZOO", help=ZOO)
    parser.add_argument("--cache", action="store_true", help="delete what this machine keeps of zoos")
    parser.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="only what was not used for so long (default: 0)"
    )


def _copy(parser: Parser) -> None:
    parser.add_argument("zoo", type=str, metavar="FROM", help=ZOO)
    parser.add_argument("target", type=str, metavar="TO", help="likewise; made when missing")
    _entries(parser, "all entries when absent")
    parser.add_argument("--no-aliases", action="store_true", help="leave the aliases of the entries behind")
    _quiet(parser)


def _push(parser: Parser) -> None:
    _copy(parser)
    parser.add_argument("--public", action="store_true", help="make a new repository on the Hub public, not private")


def _pull(parser: Parser) -> None:
    _copy(parser)


def _zoo(parser: Parser) -> None:
    parser.add_argument("zoo", type=str, metavar="ZOO", help=ZOO)


def _entries(parser: Parser, otherwise: str) -> None:
    parser.add_argument("entries", type=str, nargs="*", default=[], metavar="ENTRY", help=f"{_ENTRY}; {otherwise}")


def _quiet(parser: Parser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress on the terminal")
