"""JSON as trees that can say what JSON forbids: keys twice, and any text in the place of a value."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Tree: TypeAlias = Any  # Members, list, Raw, or a plain value


@dataclass
class Members:
    """An object, key by key."""

    pairs: list[list[Tree]] = field(default_factory=list)


@dataclass(frozen=True)
class Raw:
    """A text that is written as it is."""

    text: str


def read(data: bytes) -> Tree:
    return json.loads(data, object_pairs_hook=lambda pairs: Members([list(pair) for pair in pairs]))


def write(tree: Tree, *, space: str = "") -> bytes:
    return _text(tree, space).encode("utf-8", "surrogatepass")


def nodes(tree: Tree) -> Iterator[tuple[list[Tree], int]]:
    """Every value but the root, as the list that holds it and its place there."""
    if isinstance(tree, Members):
        for pair in tree.pairs:
            yield pair, 1
            yield from nodes(pair[1])
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield tree, index
            yield from nodes(item)


def objects(tree: Tree) -> Iterator[Members]:
    if isinstance(tree, Members):
        yield tree
    for holder, index in nodes(tree):
        if isinstance(holder[index], Members):
            yield holder[index]


def _text(tree: Tree, space: str) -> str:
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, Members):
        pairs = (f"{_text(key, space)}{space}:{space}{_text(value, space)}" for key, value in tree.pairs)
        return "{" + f",{space}".join(pairs) + "}"
    if isinstance(tree, list):
        return "[" + f",{space}".join(_text(item, space) for item in tree) + "]"
    return json.dumps(tree, ensure_ascii=False)
