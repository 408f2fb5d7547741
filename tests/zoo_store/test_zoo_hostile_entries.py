"""Entries that somebody made to do harm: consistent with themselves, yet not with their id or the format."""

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from zoo_store import CorruptEntryError, SchemaVersionError, Zoo, ZooEntry
from zoo_store.format.identity import content_of
from zoo_store.format.manifest import FileRecord, Manifest

EntryMaker = Callable[..., ZooEntry]


@pytest.fixture
def rewrite_manifest(entry_folder: Path) -> Callable[[Callable[[dict[str, Any]], object]], None]:
    def rewrite(change: Callable[[dict[str, Any]], object]) -> None:
        path = entry_folder / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return rewrite


ManifestRewriter = Callable[[Callable[[dict[str, Any]], object]], None]


def put(folder: Path, rewrite_manifest: ManifestRewriter, file: str, data: bytes) -> None:
    """Replace a file and make the manifest agree, as someone would who wants to get past the hashes."""
    (folder / file).write_bytes(data)
    record = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    rewrite_manifest(lambda manifest: manifest["files"].update({file: record}))


@pytest.mark.parametrize("file", ["supernet.safetensors", "sketch.safetensors"])
def test_other_tensors_with_a_lying_manifest_do_not_fit_the_id(
    zoo: Zoo, entry_id: str, entry_folder: Path, rewrite_manifest: ManifestRewriter, file: str
) -> None:
    put(entry_folder, rewrite_manifest, file, save({"stem.weight": torch.zeros(1)}))
    with pytest.raises(
        CorruptEntryError, match=rf"{file} holds content with the digest \w+; the entry's id stands for"
    ):
        zoo.get(entry_id)
    assert [problem.file for problem in zoo.verify()] == [file]


def test_another_card_with_a_lying_manifest_does_not_fit_the_id(
    zoo: Zoo, entry_id: str, entry_folder: Path, rewrite_manifest: ManifestRewriter
) -> None:
    card = json.loads((entry_folder / "card.json").read_text())
    card["data"][0]["licence"] = "public domain"
    put(entry_folder, rewrite_manifest, "card.json", json.dumps(card).encode())
    for read in (zoo.card, zoo.get):
        with pytest.raises(CorruptEntryError, match=r"card\.json holds content with the digest"):
            read(entry_id)


def test_content_digests_that_do_not_make_the_id_are_refused(
    zoo: Zoo, entry_id: str, rewrite_manifest: ManifestRewriter
) -> None:
    rewrite_manifest(lambda manifest: manifest["content"].update(state="0" * 64))
    with pytest.raises(CorruptEntryError, match=r"manifest\.json lists content whose id is \w+, which is not the name"):
        zoo.card(entry_id)


@pytest.mark.parametrize("name", ["../../outside.txt", "/etc/passwd", "..\\outside", "extra.bin", "card.json/"])
def test_a_manifest_that_lists_another_file_is_refused(
    zoo: Zoo, entry_id: str, rewrite_manifest: ManifestRewriter, name: str
) -> None:
    record = {"sha256": "0" * 64, "size": 1}
    rewrite_manifest(lambda manifest: manifest["files"].update({name: record}))
    with pytest.raises(CorruptEntryError, match=r"manifest\.json lists .* in 'files'; expected exactly \['README\.md'"):
        zoo.get(entry_id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["files"].pop("README.md"), "in 'files'; expected exactly"),
        (lambda m: m.update(more=1), "in the manifest; expected exactly"),
        (lambda m: m.update(files=[]), "holds 'files' as a list; expected an object"),
        (lambda m: m["content"].pop("card"), "in 'content'; expected exactly"),
        (
            lambda m: m["content"].update(card=None),
            "holds None as the content digest of 'card'; expected 64 hex digits",
        ),
        (lambda m: m["files"]["card.json"].update(sha256="F" * 64), "as the SHA-256 of 'card.json'; expected 64 hex"),
        (
            lambda m: m["files"]["card.json"].update(size=-1),
            "gives 'card.json' the size -1; expected a number of bytes",
        ),
        (lambda m: m["files"]["card.json"].update(size=True), "gives 'card.json' the size True"),
        (
            lambda m: m["files"]["card.json"].update(size=10**15),
            "gives .card.json. the size 10{15}; expected at most 4194304 bytes",
        ),
    ],
)
def test_a_malformed_manifest_is_refused(
    zoo: Zoo,
    entry_id: str,
    rewrite_manifest: ManifestRewriter,
    change: Callable[[dict[str, Any]], object],
    reason: str,
) -> None:
    rewrite_manifest(change)
    with pytest.raises(CorruptEntryError, match=reason):
        zoo.get(entry_id)
    assert len(zoo.verify()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not JSON in UTF-8"),
        (b"\xff\xfe", "is not JSON in UTF-8"),
        (b"[]", "is not a JSON object"),
        (b'{"id": 1, "id": 2}', "holds the key 'id' more than once"),
        (b'{"id": NaN}', "holds NaN, which is not JSON"),
        (b'{"id": 1e999}', "is not plain JSON: .* is inf"),
        (b"[" * 30_000, "is nested deeper than 64 levels"),
        (b"[" * 100 + b"]" * 100, "is nested deeper than 64 levels"),
        (b" " * 65_537, "has 65537 bytes; expected at most 65536"),
    ],
)
def test_a_manifest_that_is_not_plain_json_is_refused(zoo: Zoo, entry_id: str, text: bytes, reason: str) -> None:
    (zoo.path / entry_id / "manifest.json").write_bytes(text)
    with pytest.raises(CorruptEntryError, match=f"manifest.json .*{reason}"):
        zoo.get(entry_id)


def test_a_newer_manifest_asks_for_an_upgrade(zoo: Zoo, entry_id: str, rewrite_manifest: ManifestRewriter) -> None:
    rewrite_manifest(lambda manifest: manifest.update(format_version=2))
    sentence = f"manifest.json of zoo entry {entry_id} was written by a newer supernet-tl .*: upgrade"
    with pytest.raises(SchemaVersionError, match=sentence):
        zoo.get(entry_id)
    assert ["upgrade" in problem.reason for problem in zoo.verify()] == [True]


def test_a_newer_card_asks_for_an_upgrade(
    zoo: Zoo, entry_id: str, entry_folder: Path, rewrite_manifest: ManifestRewriter
) -> None:
    card = json.loads((entry_folder / "card.json").read_text()) | {"schema_version": 2}
    put(entry_folder, rewrite_manifest, "card.json", json.dumps(card).encode())
    with pytest.raises(SchemaVersionError, match=r"card\.json of zoo entry \w+ was written by a newer supernet-tl"):
        zoo.card(entry_id)
    assert [problem.file for problem in zoo.verify()] == ["card.json"]


def safetensors_file(header: bytes, values: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + values


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps({"weight": [1.0]}),
        struct.pack("<Q", 2**63) + b"{}",
        safetensors_file(b"{" * 1000),
        safetensors_file(b'{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}', b"\0" * 4),
        safetensors_file(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}', b"\0" * 4),
        safetensors_file(b'{"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"\0"),
        safetensors_file(b'{"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}', b"\0" * 8),
        safetensors_file(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', struct.pack("<f", float("nan"))),
    ],
)
def test_bytes_that_are_no_good_safetensors_are_refused(
    zoo: Zoo, entry_id: str, entry_folder: Path, rewrite_manifest: ManifestRewriter, data: bytes
) -> None:
    put(entry_folder, rewrite_manifest, "supernet.safetensors", data)
    with pytest.raises(CorruptEntryError, match=r"supernet\.safetensors cannot be used: "):
        zoo.get(entry_id)


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
    assert json.loads((folder / "manifest.json").read_text())["content"] == asdict(content)
    return content.entry_id


def test_a_forged_entry_is_let_through_only_if_add_would_have_taken_it(zoo: Zoo) -> None:
    good = {"weight": torch.ones(1)}
    honest = forge(zoo, good, {"schema_version": 1})
    assert zoo.get(honest).state["weight"] == 1

    not_finite = forge(zoo, {"weight": torch.tensor([float("inf")])}, {"schema_version": 1})
    with pytest.raises(
        CorruptEntryError, match=r"supernet\.safetensors cannot be used: state\['weight'\] holds 1 value"
    ):
        zoo.get(not_finite)

    bad_card = forge(zoo, good, {"schema_version": 1, "channels": "many"})
    with pytest.raises(CorruptEntryError, match=r"card\.json cannot be used: .*card\['channels'\] is 'many'"):
        zoo.card(bad_card)

    empty = forge(zoo, {}, {"schema_version": 1})
    with pytest.raises(
        CorruptEntryError, match=r"supernet\.safetensors holds no tensors; expected those of a supernet"
    ):
        zoo.get(empty)

    assert {problem.entry_id for problem in zoo.verify()} == {not_finite, bad_card, empty}


@pytest.mark.parametrize("file", ["card.json", "manifest.json", "supernet.safetensors"])
def test_a_link_out_of_the_folder_is_not_followed(zoo: Zoo, entry_id: str, tmp_path: Path, file: str) -> None:
    path = zoo.path / entry_id / file
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(CorruptEntryError, match=f"{file} is a symbolic link; expected a regular file"):
        zoo.get(entry_id)


def test_an_entry_that_is_a_link_is_not_followed_and_its_removal_spares_what_it_points_to(
    zoo: Zoo, entry_id: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (zoo.path / entry_id).rename(outside)
    (zoo.path / entry_id).symlink_to(outside)
    with pytest.raises(CorruptEntryError, match="the folder is a file or a symbolic link"):
        zoo.get(entry_id)

    zoo.remove(entry_id)
    assert len(zoo) == 0
    assert len(os.listdir(outside)) == 5


def test_a_pipe_in_the_place_of_a_file_does_not_hang_the_reader(zoo: Zoo, entry_id: str) -> None:
    path = zoo.path / entry_id / "card.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CorruptEntryError, match=r"card\.json is not a regular file"):
        zoo.card(entry_id)
