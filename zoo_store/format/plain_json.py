"""JSON as this package keeps it: no NaN, no duplicate keys, and one canonical form to hash."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any  # None, bool, int, float, str, list or dict of these; checked when it is built, not by the type

MAX_DEPTH = 64
_SMALLEST_INT, _LARGEST_INT = -(2**63), 2**64 - 1
_LONGEST_INT = len(str(_LARGEST_INT))
_MAX_SHOWN, _MAX_LISTED = 80, 20
_SURROGATE = "holds half a surrogate pair, which UTF-8 cannot write; decode the text properly first"


def to_plain(value: object, root: str, faults: list[str], path: tuple[object, ...] = ()) -> Json:
    """Copy a value into plain JSON; tuples become lists.

    Args:
        value: what the caller gave.
        root: how the caller would write the whole value, such as ``card``.
        faults: sentences are appended here, one for each thing that JSON cannot hold.
        path: the keys and indices that lead from the whole value to this one.

    Returns:
        The copy; meaningless where a fault was found.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _SMALLEST_INT <= value <= _LARGEST_INT:
            faults.append(f"{_place(root, path)} is an integer beyond 64 bits; write it as a string")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            where = _place(root, path)
            faults.append(f"{where} is {float(value)!r}, which JSON cannot hold; use None for 'not known'")
        return float(value)
    if isinstance(value, str):
        if not is_utf8(value):
            faults.append(f"{_place(root, path)} {_SURROGATE}")
        return str(value)
    if len(path) >= MAX_DEPTH:
        where = _place(root, path[:2])
        faults.append(f"{where} is nested deeper than {MAX_DEPTH} levels (does it contain itself?)")
        return None
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                where = _place(root, path)
                faults.append(f"{where} has the key {key!r} of type {type(key).__name__}; keys must be strings")
                continue
            if not is_utf8(key):
                faults.append(f"the key {shown(key)} of {_place(root, path)} {_SURROGATE}")
            plain[str(key)] = to_plain(item, root, faults, (*path, key))
        return plain
    if isinstance(value, (list, tuple)):
        return [to_plain(item, root, faults, (*path, index)) for index, item in enumerate(value)]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    faults.append(
        f"{_place(root, path)} is a {kind}; expected plain JSON (str, int, float, bool, None, list, dict): "
        "convert it first, for example with .item(), .tolist() or str()"
    )
    return None


def _place(root: str, path: tuple[object, ...]) -> str:
    return root + "".join(f"[{shown(step)}]" for step in path)


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can write a text: it holds no half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object) -> str:
    """A value as a sentence shows it: on one line, and not at length."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def listed(faults: list[str]) -> str:
    """Faults as a sentence lists them: the first of them, and how many more there are."""
    more = len(faults) - _MAX_LISTED
    return "; ".join(faults if more <= 0 else [*faults[:_MAX_LISTED], f"and {more} more"])


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
        ValueError: for what is not JSON, and for NaN, infinities, integers beyond 64 bits, duplicate keys and absurd
            nesting.
    """
    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_short_int,
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"is not JSON in UTF-8 ({error})") from error
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None
    faults: list[str] = []
    plain = to_plain(found, "it", faults)  # such as 1e999, which Python reads as an infinity
    if faults:
        raise ValueError(f"is not plain JSON: {listed(faults)}")
    return plain


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"holds the key {shown(counts.most_common(1)[0][0])} more than once")
    return found


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"holds {text}, which is not JSON")


def _short_int(text: str) -> int:
    if len(text) > _LONGEST_INT:  # before Python spends its time on the digits
        raise ValueError(f"holds a whole number of {len(text)} digits; expected one of at most 64 bits")
    return int(text)


def is_text(value: object) -> bool:
    """Whether this is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_whole(value: object) -> bool:
    """Whether this is a whole number; Python takes True for one."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """Whether this is a whole number above 0."""
    return isinstance(value, int) and is_whole(value) and value > 0
