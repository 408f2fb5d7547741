"""The arguments of ``supernet-tl recipe``."""

from __future__ import annotations

from supernet_tl.command_line.parser import Parser

FLAGS = frozenset(("--json", "--overwrite", "--help", "-h"))
"""Switches that take no value."""


def add_recipe_actions(parser: Parser) -> None:
    """Give the parser of ``supernet-tl recipe`` its actions."""
    actions = parser.add_subcommands(dest="action", metavar="ACTION")
    for name, build, text in (
        ("list", _list, "the recipes that come with the package, each with what it is for"),
        ("show", _show, "one of them"),
        ("copy", _copy, "copy one, to change it"),
        ("validate", _validate, "check recipes, your own too, without running them"),
    ):
        action = Parser(
            description=f"Recipe: {text}.",
            epilog="A verb takes a recipe by its name or as a file: supernet-tl transfer --config transfer/paper ...",
        )
        build(action)
        action.add_argument("--json", action="store_true", help="print JSON")
        actions.add_subcommand(name, action, help=text)


def _list(parser: Parser) -> None:
    parser.add_argument("folder", type=str, nargs="?", metavar="FOLDER", help="only those of it, such as transfer")


def _show(parser: Parser) -> None:
    parser.add_argument("name", type=str, metavar="NAME", help="such as transfer/paper")


def _copy(parser: Parser) -> None:
    parser.add_argument("name", type=str, metavar="NAME", help="such as transfer/paper")
    parser.add_argument("--output", type=str, metavar="FILE", help="a file or folder (default: its own name, here)")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE")


def _validate(parser: Parser) -> None:
    parser.add_argument(
        "files",
        type=str,
        nargs="+",
        metavar="RECIPE",
        help="files or names, each laid over those before it, as with several --config",
    )
    parser.add_argument(
        "--verb",
        type=str,
        metavar="VERB",
        help="that will take them: transfer, search, select, pretrain, leave-one-out or fit (default: as the last "
        "recipe's head or keys tell)",
    )
