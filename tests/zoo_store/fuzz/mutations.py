"""Ways to alter the files of an entry, from a flipped bit to a forged one that agrees with itself.

Everything here works on bytes with means of its own, and knows of the package only what `docs/zoo-format.md` says.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.zoo_store.fuzz.json_trees import Members, Raw, Tree, nodes, objects, read, write

Files = dict[str, bytes]
Draw = st.DrawFn

TENSOR_FILES = ("supernet.safetensors", "sketch.safetensors")
LISTED = (*TENSOR_FILES, "card.json", "README.md")
ALL = (*LISTED, "manifest.json")

DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "U64", "C64", "F4", "f32")
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 255, 2**31, 2**32, 2**53, 2**62, 2**63, 2**64, 10**30, -1, -8)
ODD_VALUES: tuple[Tree, ...] = (
    *(Raw(text) for text in ("NaN", "Infinity", "-Infinity", "1e400", "-0.0", "1.0", "1e2", "01", "1" * 5000, "nul")),
    *(Raw(text) for text in ("[" * 70 + "]" * 70, "[" * 3000, '{"a":' * 70 + "1" + "}" * 70, '"\\ud800"', '"\\u0000"')),
    *(None, True, False, "", "..", "../x", "C:\\x", "text", "\u202e", "e\u0301", [], [[]], Members(), 0.5, 1e308),
    *NUMBERS,
)
TOKENS = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b" ", b"\n", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"NaN", b"1e999"),
    *(b'"__metadata__":{},', b'"dtype":"F32",', b"\x80\x04\x95", b"PK\x03\x04", (2**63).to_bytes(8, "little")),
)


@dataclass(frozen=True)
class Mutation:
    """An altered entry.

    Attributes:
        kinds: what was done, in order.
        manifest: "kept", made to "agree" with the altered files, or "forged" down to the id.
        group: the id that the files are given out as.
        files: all of them.
    """

    kinds: tuple[str, ...]
    manifest: str
    group: str
    files: Mapping[str, bytes]


def mutations(entries: Mapping[str, Mapping[str, bytes]]) -> st.SearchStrategy[Mutation]:
    """Alter one to three files of the first entry; the second lends pieces."""

    @st.composite
    def altered(draw: Draw) -> Mutation:
        return _altered(draw, entries)

    return altered()


def _altered(draw: Draw, entries: Mapping[str, Mapping[str, bytes]]) -> Mutation:
    own_id, other_id = entries
    files, lent = dict(entries[own_id]), entries[other_id]
    kinds = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        KINDS[kind](draw, files, lent)
        kinds.append(kind)
    manifest = draw(st.sampled_from(("kept", "agree", "agree", "forged")))
    if manifest == "agree":
        _agree(files)
    group = _forge(files, own_id) if manifest == "forged" else own_id
    return Mutation(tuple(kinds), manifest, group, files)


def _flip(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    name, data = _a_file(draw, files)
    altered = bytearray(data)
    if altered:
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 5)))):
            altered[draw(st.integers(0, len(altered) - 1))] ^= draw(st.integers(1, 255))
        files[name] = bytes(altered)


def _truncate(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    name, data = _a_file(draw, files)
    files[name] = data[: draw(st.integers(0, max(0, len(data) - 1)))]


def _insert(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    name, data = _a_file(draw, files)
    at = draw(st.integers(0, len(data)))
    files[name] = data[:at] + draw(st.sampled_from(TOKENS)) + data[at:]


def _delete(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    name, data = _a_file(draw, files)
    begin, end = _a_span(draw, data)
    files[name] = data[:begin] + data[end:]


def _splice(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """A piece of another file, or of the other entry, in the place of a piece."""
    name, data = _a_file(draw, files)
    source = draw(st.sampled_from((lent, files))).get(draw(st.sampled_from(ALL)), data)
    (begin, end), (first, last) = _a_span(draw, data), _a_span(draw, source)
    files[name] = data[:begin] + source[first:last] + data[end:]


def _swap(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """A whole file of the other entry."""
    name, _ = _a_file(draw, files)
    files[name] = lent[draw(st.sampled_from((name, name, *ALL) if name in ALL else ALL))]


def _names(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """A file more, a file less, or one under another name."""
    what = draw(st.sampled_from(("drop", "add", "hide", "rename")))
    if what in ("drop", "rename"):
        name, data = _a_file(draw, files)
        del files[name]
        if what == "rename":
            files[name.upper() if name != name.upper() else name.lower()] = data
    else:
        files[{"add": "weights.pkl", "hide": ".DS_Store"}[what]] = b"cos\nsystem\n"


def _json(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    name = draw(st.sampled_from(("card.json", "manifest.json")))
    tree = _tree(files, name)
    if tree is not None:
        _edit(draw, tree)
        files[name] = write(tree, space=draw(st.sampled_from(("", " ", "\n\t"))))


def _layout(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """The same JSON with other white space and order."""
    name = draw(st.sampled_from(("card.json", "manifest.json")))
    tree = _tree(files, name)
    if tree is not None:
        for members in objects(tree):
            members.pairs.sort(key=lambda pair: str(pair[0]), reverse=draw(st.booleans()))
        files[name] = write(tree, space=draw(st.sampled_from(("", " ", "\r\n", "\t"))))


def _header(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """The header of a tensor file, its length computed anew."""
    name = draw(st.sampled_from(TENSOR_FILES))
    parts = _split(files.get(name, b""))
    if parts is None:
        return
    tree, values = parts
    what = draw(st.sampled_from(("edit", "dtype", "number", "metadata", "order", "both offsets")))
    records = [pair[1] for pair in tree.pairs if isinstance(pair[1], Members)]
    if what == "metadata":
        tree.pairs.insert(0, ["__metadata__", Members([["format", "pt"]])])
    elif what == "order":
        tree.pairs.reverse()
    elif what == "edit" or not records:
        _edit(draw, tree)
    else:
        _retag(draw, draw(st.sampled_from(records)), what)
    files[name] = _joined(tree, values)


def _values(draw: Draw, files: Files, lent: Mapping[str, bytes]) -> None:
    """The values of a tensor file: not a number, infinities, booleans of other bytes."""
    name = draw(st.sampled_from(TENSOR_FILES))
    parts = _split(files.get(name, b""))
    if parts is None or not parts[1]:
        return
    tree, values = parts
    at = draw(st.integers(0, len(values) - 1))
    odd = draw(st.sampled_from((b"\xff", b"\x7f\x80", b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\x02", b"\x7c\x00")))
    files[name] = _joined(tree, (values[:at] + odd + values[at + len(odd) :])[: len(values)])


KINDS: Mapping[str, Callable[[Draw, Files, Mapping[str, bytes]], None]] = {
    "flip": _flip,
    "truncate": _truncate,
    "insert": _insert,
    "delete": _delete,
    "splice": _splice,
    "swap": _swap,
    "names": _names,
    "json": _json,
    "layout": _layout,
    "header": _header,
    "values": _values,
}


def _a_file(draw: Draw, files: Files) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(files) or ["card.json"]))
    return name, files.setdefault(name, b"")


def _a_span(draw: Draw, data: bytes) -> tuple[int, int]:
    begin = draw(st.integers(0, len(data)))
    return begin, min(len(data), begin + draw(st.sampled_from((0, 1, 2, 8, 64, 10**6))))


def _edit(draw: Draw, tree: Tree) -> None:
    """One change of a JSON tree."""
    places, holders = list(nodes(tree)), [members for members in objects(tree) if members.pairs]
    what = draw(st.sampled_from(("replace", "replace", "rename", "repeat", "drop", "add")))
    if what == "replace" and places:
        holder, index = draw(st.sampled_from(places))
        holder[index] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    elif holders:
        members = draw(st.sampled_from(holders))
        at = draw(st.integers(0, len(members.pairs) - 1))
        key, value = members.pairs[at]
        if what == "rename":
            members.pairs[at][0] = draw(st.sampled_from((f"{key}2", str(key).upper(), "", "__metadata__", "created")))
        elif what == "repeat":
            members.pairs.append([key, copy.deepcopy(draw(st.sampled_from((value, *ODD_VALUES[:3]))))])
        elif what == "drop":
            del members.pairs[at]
        else:
            members.pairs.append(["more", copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))])


def _retag(draw: Draw, record: Members, what: str) -> None:
    for pair in record.pairs:
        if what == "dtype" and pair[0] == "dtype":
            pair[1] = draw(st.sampled_from(DTYPES))
        elif what == "number" and isinstance(pair[1], list):
            pair[1].insert(draw(st.integers(0, len(pair[1]))), draw(st.sampled_from(NUMBERS)))
            del pair[1][draw(st.integers(0, len(pair[1]) - 1))]
        elif what == "both offsets" and pair[0] == "data_offsets":
            by = draw(st.sampled_from(NUMBERS))
            offsets = pair[1] if isinstance(pair[1], list) else []  # another mutation has been here
            pair[1] = [offset + by for offset in offsets if isinstance(offset, int)]


def _tree(files: Files, name: str) -> Tree | None:
    try:
        return read(files[name])
    except (KeyError, ValueError, RecursionError):
        return None  # another mutation has been here


def _split(data: bytes) -> tuple[Members, bytes] | None:
    end = 8 + int.from_bytes(data[:8], "little")
    try:
        tree = read(data[8:end])
    except (ValueError, RecursionError):
        return None
    return (tree, data[end:]) if isinstance(tree, Members) else None


def _joined(tree: Members, values: bytes) -> bytes:
    header = write(tree)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + values


def _agree(files: Files) -> None:
    """Let the manifest, where it can still be read, list the altered files."""
    try:
        manifest = json.loads(files["manifest.json"])
        for name in LISTED:
            if name in files:
                digest = hashlib.sha256(files[name]).hexdigest()
                manifest["files"][name] = {"sha256": digest, "size": len(files[name])}
    except (KeyError, ValueError, TypeError, RecursionError):
        return
    files["manifest.json"] = json.dumps(manifest).encode()


def _forge(files: Files, own_id: str) -> str:
    """Let the manifest, digests of content and id agree with the altered files; returns that id."""
    _agree(files)
    try:
        manifest = json.loads(files["manifest.json"])
        content = manifest["content"]
        for part, name in (("state", TENSOR_FILES[0]), ("sketch", TENSOR_FILES[1])):
            content[part] = _tensors_digest(files[name]) or content[part]
        content["card"] = _card_digest(files["card.json"]) or content["card"]
        forged = hashlib.sha256(b"zoo entry 1\n" + _canonical(content)).hexdigest()
        manifest["id"] = forged
    except (KeyError, ValueError, TypeError, RecursionError):
        return own_id
    files["manifest.json"] = json.dumps(manifest).encode()
    return forged


def _card_digest(data: bytes) -> str | None:
    try:
        card = json.loads(data)
        lasting = {key: card[key] for key in card if key not in ("created", "versions", "timings")}
        return hashlib.sha256(b"zoo card 1\n" + _canonical(lasting)).hexdigest()
    except (ValueError, TypeError, RecursionError):
        return None


def _tensors_digest(data: bytes) -> str | None:
    """By the page of the format, of whatever the header claims."""
    end = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:end])
        digest = hashlib.sha256(b"zoo tensors 1\n")
        for name in sorted(header):
            line = _canonical([name, header[name]["dtype"], header[name]["shape"]])
            begin, stop = header[name]["data_offsets"]
            digest.update(len(line).to_bytes(8, "little") + line + data[end + begin : end + stop])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
