"""The page that people see in an entry's folder, made from its card."""

import re
from functools import cache
from typing import TYPE_CHECKING

from zoo_store.format.card import Card
from zoo_store.format.plain_json import Json, canonical

if TYPE_CHECKING:
    from jinja2 import Template

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|&~$!])")


def readme(entry_id: str, card: Card) -> bytes:
    """The README.md of an entry: what it is, how to use it, its data with licences, its metrics."""
    data = card.get("data") or []
    text = template("entry_readme.md.jinja").render(
        id=entry_id, card=card, data=[data] if isinstance(data, dict) else data
    )
    return text.encode("utf-8")


@cache
def template(name: str) -> "Template":
    """A template of Markdown; its filters ``inline``, ``recorded`` and ``named`` show values of a card."""
    from jinja2 import Environment, PackageLoader

    # Not HTML: `inline` below keeps a card's texts from being read as Markdown or tags.
    environment = Environment(
        loader=PackageLoader("zoo_store.format"), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(inline=_inline, recorded=_recorded, named=_named)
    return environment.get_template(name)


def _inline(value: Json) -> str:
    """A value as one line of Markdown that shows what it says, and does nothing else."""
    text = value if isinstance(value, str) else canonical(value).decode("utf-8")
    visible = "".join(sign if sign.isprintable() else _code(sign) for sign in " ".join(text.split()))
    return _MARKDOWN.sub(r"\\\1", visible)


def _code(sign: str) -> str:
    """What stands for a sign that has no shape, and might steer a terminal or turn the direction of writing."""
    return f"U+{ord(sign):04X}"


def _recorded(value: object) -> str:
    # jinja2 passes its own Undefined for a key that the card lacks; it is falsy, and unlike 0 not equal to any number.
    from jinja2 import Undefined

    if value is None or value == "" or isinstance(value, Undefined):
        return "not recorded"
    return _inline(value)


def _named(value: object) -> str:
    """The name of something that a card gives as an object with a name, or as the name alone."""
    return _recorded(value.get("name") if isinstance(value, dict) else value)
