"""A manifest is made for files of anybody, if they make the entry of that id."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from zoo_store import CorruptEntryError, Zoo, ZooEntry
from zoo_store.format.sealing import sealed

EntryMaker = Callable[..., ZooEntry]


def files_of(zoo: Zoo, entry_id: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (zoo.path / entry_id).iterdir()}


def laid_out_the_other_way(data: bytes) -> bytes:
    """The same tensors in a safetensors file in which their values come in the other order."""
    num_bytes = int.from_bytes(data[:8], "little")
    header, values = json.loads(data[8 : 8 + num_bytes]), data[8 + num_bytes :]
    moved, parts, start = {}, [], 0
    for name in sorted(header, key=lambda name: header[name]["data_offsets"], reverse=True):
        first, last = header[name]["data_offsets"]
        moved[name] = header[name] | {"data_offsets": [start, start + last - first]}
        parts.append(values[first:last])
        start += last - first
    text = json.dumps(moved, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


@pytest.fixture
def files(zoo: Zoo, entry_id: str) -> Mapping[str, bytes]:
    """The files of an entry but for its manifest."""
    return {name: data for name, data in files_of(zoo, entry_id).items() if name != "manifest.json"}


def test_the_manifest_of_files_is_the_one_that_was_written_with_them(
    zoo: Zoo, entry_id: str, files: Mapping[str, bytes]
) -> None:
    assert sealed(entry_id, files) == files_of(zoo, entry_id)["manifest.json"]


def test_files_of_other_writers_with_the_same_content_make_the_entry(
    zoo: Zoo, entry_id: str, files: Mapping[str, bytes], make_entry: EntryMaker, tmp_path: Path
) -> None:
    # Oracle: a zoo that checks every byte of the mixture; another date, another layout of tensors, any README.
    other = Zoo(tmp_path / "other")
    other.add(make_entry(created="2026-02-01T12:00:00+00:00"))
    state = laid_out_the_other_way(files["supernet.safetensors"])
    card = files_of(other, entry_id)["card.json"]
    mixture = {**files, "supernet.safetensors": state, "card.json": card, "README.md": b"# By hand\n"}
    assert state != files["supernet.safetensors"]
    assert card != files["card.json"]

    for name, data in {**mixture, "manifest.json": sealed(entry_id, mixture)}.items():
        (zoo.path / entry_id / name).write_bytes(data)
    assert zoo.verify() == []


@pytest.mark.parametrize(
    ("file", "data", "reason"),
    [
        ("card.json", b"{", "holds files of something else"),
        ("card.json", b"[]", "card.json is not a JSON object"),
        ("card.json", b"{}", "schema version"),
        ("card.json", None, r"something else: their id is \w+"),
        ("supernet.safetensors", b"", "state is not a readable safetensors file"),
        ("sketch.safetensors", None, r"something else: their id is \w+"),
        ("README.md", bytes(64 * 2**20 + 1), "'README.md' the size 67108865; expected at most"),
        ("weights.pkl", b"", "weights.pkl"),
    ],
)
def test_files_of_anything_else_have_no_manifest(
    zoo: Zoo,
    entry_id: str,
    files: Mapping[str, bytes],
    make_entry: EntryMaker,
    file: str,
    data: bytes | None,
    reason: str,
) -> None:
    other = files_of(zoo, zoo.add(make_entry(weights_seed=1, seed=1)))  # what None stands for
    with pytest.raises(CorruptEntryError, match=reason):
        sealed(entry_id, {**files, file: other[file] if data is None else data})
