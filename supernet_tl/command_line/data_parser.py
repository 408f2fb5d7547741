"""The arguments of ``supernet-tl data``."""

from __future__ import annotations

from supernet_tl.command_line.parser import Parser

SOURCE = (
    "root/<class>/*.png|jpg|…, root/train and root/test of such folders, a table of paths and labels (.csv, "
    ".parquet), a Meta-Album folder, openml:TAG/VERSION or pocket:NAME"
)
_SET = (
    "a Meta-Album set such as BRD/Mini, an OpenML id, or a group: paper27/Micro (the 27 sets of the paper), all/Mini, "
    "set0/Extended"
)
_ELSEWHERE = (
    "Sets are kept in SUPERNET_TL_CACHE (default: ~/.cache/supernet-tl) and shared by all runs; SUPERNET_TL_OFFLINE=1, "
    "or --offline, asks no network."
)
FLAGS = frozenset(
    (
        *("--json", "--quiet", "--kept", "--offline"),
        *("--help", "-h"),
    )
)
"""Switches that take no value."""


def add_data_actions(parser: Parser) -> None:
    """Give the parser of ``supernet-tl data`` its actions."""
    actions = parser.add_subcommands(dest="action", metavar="ACTION")
    for name, build, text in (
        ("list", _list, "the sets of Meta-Album, and which of them are kept here"),
        ("get", _get, "download sets of Meta-Album from OpenML, and verify them"),
        ("verify", _verify, "read every image of the sets that are kept here and say what is wrong"),
        ("health", _health, "what should be known of an image set before training: counts, duplicates, leaks"),
        ("rm", _rm, "delete sets that are kept here"),
        ("gc", _gc, "delete decoded images that are kept to start faster; they are made again when needed"),
    ):
        action = Parser(description=f"Data: {text}.", epilog=_ELSEWHERE)
        build(action)
        action.add_argument("--json", action="store_true", help="print JSON")
        actions.add_subcommand(name, action, help=text)


def _list(parser: Parser) -> None:
    parser.add_argument("sets", type=str, nargs="*", default=[], metavar="SET", help=f"{_SET}; all when absent")
    parser.add_argument(
        "--version",
        type=str,
        metavar="VERSION",
        help="Micro (20 classes of 40 images), Mini (all classes, 40 images each) or Extended (everything)",
    )
    parser.add_argument("--domain", type=str, metavar="DOMAIN", help="its code or a part of its name, such as OCR")
    parser.add_argument("--kept", action="store_true", help="only sets that are kept here")


def _get(parser: Parser) -> None:
    parser.add_argument("sets", type=str, nargs="+", metavar="SET", help=_SET)
    parser.add_argument("--offline", action="store_true", help="ask no network: say which are kept here")
    _quiet(parser)


def _verify(parser: Parser) -> None:
    parser.add_argument("sets", type=str, nargs="*", default=[], metavar="SET", help=f"{_SET}; all kept when absent")
    _quiet(parser)


def _health(parser: Parser) -> None:
    parser.add_argument("source", type=str, metavar="SRC", help=SOURCE)
    parser.add_argument("--seed", type=int, default=0, help="of the splits that are examined (default: 0)")
    parser.add_argument("--offline", action="store_true", help="ask no network")
    _quiet(parser)


def _rm(parser: Parser) -> None:
    parser.add_argument("sets", type=str, nargs="+", metavar="SET", help=_SET)


def _gc(parser: Parser) -> None:
    parser.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="only what was not used for so long (default: 0)"
    )


def _quiet(parser: Parser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress on the terminal")
