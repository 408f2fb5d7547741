"""What somebody can do who may write to a zoo's folder and knows the format, and how it must be answered."""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from zoo_store import CorruptEntryError, Zoo
from zoo_store.format.identity import content_of
from zoo_store.format.manifest import FileRecord, Manifest

ReadingOf = Callable[[Zoo, str], object]

READERS: Mapping[str, tuple[ReadingOf, ...]] = {
    "card.json": (Zoo.get, Zoo.card),
    "sketch.safetensors": (Zoo.get, Zoo.sketch),
    "supernet.safetensors": (Zoo.get,),
    "README.md": (Zoo.get,),
    "manifest.json": (Zoo.get, Zoo.card, Zoo.sketch),
    "the folder": (Zoo.get, Zoo.card, Zoo.sketch),
}
"""The methods that come upon a fault in a file."""


def refused(zoo: Zoo, entry_id: str, file: str, sentence: str) -> None:
    """Whatever reads the file raises one sentence: entry, file, what is wrong, remedy; and `verify` tells the same."""
    told = rf"(?s)^zoo entry {entry_id}: {re.escape(file)} .*{sentence}"
    remedy = rf"\. Nothing was loaded\. .*supernet-tl zoo verify --fix {re.escape(zoo.address)}`"
    for read in READERS[file]:
        with pytest.raises(CorruptEntryError, match=told + ".*" + remedy) as caught:
            read(zoo, entry_id)
        assert len(str(caught.value)) < 3000  # however large the file: a sentence
    problems = [problem for problem in zoo.verify() if problem.entry_id == entry_id]
    assert [re.search(told, str(problem)) is not None for problem in problems] == [True]
    assert problems[0].damaged


def put(folder: Path, file: str, data: bytes) -> None:
    """Replace a file and make the manifest agree, as someone would who wants to get past the hashes."""
    (folder / file).write_bytes(data)
    record = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    rewrite_manifest(folder, lambda manifest: manifest["files"].update({file: record}))


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def tensor_file(header: bytes | Mapping[str, Any], values: bytes = b"", *, pad: bool = True) -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8) if pad else b""
    return struct.pack("<Q", len(text)) + text + values


def forge(zoo: Zoo, state: dict[str, torch.Tensor], card: dict[str, Any]) -> str:
    """An entry that is true to its id, but was never let in by `add`."""
    content = content_of(state, {}, card)
    files = {
        "supernet.safetensors": save(state),
        "sketch.safetensors": save({}),
        "card.json": json.dumps(card).encode(),
        "README.md": b"",
    }
    folder = zoo.path / content.entry_id
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    records = {name: FileRecord.of(data) for name, data in files.items()}
    (folder / "manifest.json").write_bytes(Manifest(content, records).to_bytes())
    return content.entry_id
