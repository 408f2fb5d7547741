"""JSON as this package keeps it: no NaN, no duplicate keys, and one canonical form to hash."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any  # None, bool, int, float, str, list or dict of these; checked when it is built, not by the type

MAX_DEPTH = 64
_SMALLEST_INT, _LARGEST_INT = -(2**63), 2**64 - 1


def to_plain(value: object, where: str, faults: list[str], depth: int = 0) -> Json:
    """Copy a value into plain JSON; tuples become lists.

    Args:
        value: what the caller gave.
        where: how the caller would write the place, such as ``card['metrics']``.
        faults: sentences are appended here, one for each thing that JSON cannot hold.
        depth: how deeply ``value`` is nested.

    Returns:
        The copy; meaningless where a fault was found.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _SMALLEST_INT <= value <= _LARGEST_INT:
            faults.append(f"{where} is an integer beyond 64 bits; write it as a string")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            faults.append(f"{where} is {float(value)!r}, which JSON cannot hold; use None for 'not known'")
        return float(value)
    if isinstance(value, str):
        return _checked_text(value, where, faults)
    if depth >= MAX_DEPTH:
        faults.append(f"{where} is nested deeper than {MAX_DEPTH} levels (does it contain itself?)")
        return None
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if isinstance(key, str):
                name = _checked_text(key, f"the key {key!r} of {where}", faults)
                plain[name] = to_plain(item, f"{where}[{key!r}]", faults, depth + 1)
            else:
                faults.append(f"{where} has the key {key!r} of type {type(key).__name__}; keys must be strings")
        return plain
    if isinstance(value, (list, tuple)):
        return [to_plain(item, f"{where}[{index}]", faults, depth + 1) for index, item in enumerate(value)]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    faults.append(
        f"{where} is a {kind}; expected plain JSON (str, int, float, bool, None, list, dict): "
        "convert it first, for example with .item(), .tolist() or str()"
    )
    return None


def _checked_text(text: str, where: str, faults: list[str]) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        faults.append(f"{where} holds half a surrogate pair, which UTF-8 cannot write; decode the text properly first")
    return str(text)


def canonical(value: Json) -> bytes:
    """The one byte string that stands for a JSON value.

    UTF-8, keys sorted by code point, no white space, non-ASCII characters as themselves, floats in the shortest form
    that reads back to the same value.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def pretty(value: Json) -> bytes:
    """The same value for people: indented UTF-8, keys in the order given, a newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def parse(data: bytes) -> Json:
    """Read UTF-8 JSON from an untrusted file.

    Raises:
        ValueError: for what is not JSON, and for NaN, infinities, duplicate keys and absurd nesting.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"is not JSON in UTF-8 ({error})") from error
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None
    faults: list[str] = []
    plain = to_plain(found, "it", faults)  # such as 1e999, which Python reads as an infinity
    if faults:
        raise ValueError(f"is not plain JSON: {'; '.join(faults)}")
    return plain


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"holds the key {twice[0]!r} more than once")
    return found


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"holds {text}, which is not JSON")
