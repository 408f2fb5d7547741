"""Manifests and cards made to do harm: each is refused, quickly, and told in a sentence."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.zoo_store.hostile.intruder import forge, put, refused, rewrite_manifest
from zoo_store import CardError, NewerVersionError, Zoo, ZooEntry
from zoo_store.format.card import MAX_CARD_BYTES
from zoo_store.format.manifest import LISTED_FILES
from zoo_store.format.plain_json import parse

EntryMaker = Callable[..., ZooEntry]
Change = Callable[[dict[str, Any]], object]

NO_JSON: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not JSON in UTF-8"),
    "a pickle": (b"\x80\x04cos\nsystem\n", "is not JSON in UTF-8"),
    "UTF-16": ('{"schema_version": 1}'.encode("utf-16"), "is not JSON in UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "is not JSON in UTF-8 .*BOM"),
    "a zero byte": (b'{"name": "a\0b"}', "is not JSON in UTF-8"),
    "a comment": (b"{} // more", "is not JSON in UTF-8"),
    "two values": (b"{}{}", "is not JSON in UTF-8"),
    "a leading zero": (b'{"channels": 08}', "is not JSON in UTF-8"),
    "a list": (b"[]", "is not a JSON object"),
    "a text": (b'"{}"', "is not a JSON object"),
    "a key twice": (b'{"id": 1, "id": 1}', "holds the key 'id' more than once"),
    "a key twice, written differently": (rb'{"id": 1, "\u0069d": 2}', "holds the key 'id' more than once"),
    "a key twice deep down": (b'{"recipe": [{"a": 1, "a": 2}]}', "holds the key 'a' more than once"),
    "an endless key twice": (b'{"%s": 1, "%s": 2}' % (b"x" * 9999, b"x" * 9999), r"holds the key 'x+\.\.\. more than"),
    "NaN": (b'{"metrics": {"accuracy": NaN}}', "holds NaN, which is not JSON"),
    "infinity": (b'{"metrics": {"loss": -Infinity}}', "holds -Infinity, which is not JSON"),
    "a float beyond range": (b'{"a": 1e400}', r"is not plain JSON: it\['a'\] is inf, which JSON cannot hold"),
    "an integer of 65 bits": (b'{"a": %d}' % 2**64, r"is not plain JSON: it\['a'\] is an integer beyond 64 bits"),
    "an integer of 30 digits": (b'{"a": %d}' % 10**30, "holds a whole number of 31 digits; expected one of at most 64"),
    "an integer of 50,000 digits": (b'{"a": %s}' % (b"9" * 50_000), "holds a whole number of 50000 digits"),
    "half a surrogate pair": (rb'{"name": "\udc00"}', r"is not plain JSON: it\['name'\] holds half a surrogate pair"),
    "such a key": (rb'{"\ud800": 1}', r"is not plain JSON: the key '\\ud800' of it holds half a surrogate pair"),
    "100 lists": (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "is nested deeper than 64 levels"),
    "30,000 lists": (b"[" * 30_000, "is nested deeper than 64 levels"),
    "10,000 objects": (b'{"a":' * 10_000, "is nested deeper than 64 levels"),
}


@pytest.mark.parametrize("case", NO_JSON)
def test_a_manifest_that_is_not_plain_json_is_refused(zoo: Zoo, entry_id: str, case: str) -> None:
    data, sentence = NO_JSON[case]
    (zoo.path / entry_id / "manifest.json").write_bytes(data)
    refused(zoo, entry_id, "manifest.json", sentence)


@pytest.mark.parametrize("case", NO_JSON)
def test_a_card_that_is_not_plain_json_is_refused(zoo: Zoo, entry_id: str, case: str) -> None:
    data, sentence = NO_JSON[case]
    put(zoo.path / entry_id, "card.json", data)
    refused(zoo, entry_id, "card.json", sentence)


def _record(**changes: Any) -> Change:
    return lambda manifest: manifest["files"]["card.json"].update(changes)


def _one_file_more(name: str) -> Change:
    return lambda manifest: manifest["files"].update({name: {"sha256": "0" * 64, "size": 1}})


MANIFESTS: dict[str, tuple[Change, str]] = {
    "a file less": (lambda m: m["files"].pop("README.md"), "in 'files'; expected exactly"),
    "a key more": (lambda m: m.update(more=1), "in the manifest; expected exactly"),
    "no digests": (lambda m: m.pop("content"), "in the manifest; expected exactly"),
    "files that are a list": (lambda m: m.update(files=[]), "holds 'files' as a list; expected an object"),
    "a digest less": (lambda m: m["content"].pop("card"), "in 'content'; expected exactly"),
    "no digest": (lambda m: m["content"].update(card=None), "holds None as the content digest of 'card'; expected 64"),
    "a short digest": (lambda m: m["content"].update(card="0" * 63), "as the content digest of 'card'; expected 64"),
    "a digest in capitals": (_record(sha256="F" * 64), "as the SHA-256 of 'card.json'; expected 64 hex digits"),
    "a digest with a line end": (_record(sha256="f" * 64 + "\n"), "as the SHA-256 of 'card.json'; expected 64 hex"),
    "an endless digest": (_record(sha256="f" * 40_000), r"holds 'f+\.\.\. as the SHA-256 of 'card.json'"),
    "another file's digest": (_record(sha256="0" * 64), "has the SHA-256|bytes; the manifest records"),
    "a negative size": (_record(size=-1), "gives 'card.json' the size -1; expected a number of bytes"),
    "a size that is a truth": (_record(size=True), "gives 'card.json' the size True; expected a number of bytes"),
    "a size that is a float": (_record(size=1.0), r"gives 'card.json' the size 1\.0; expected a number of bytes"),
    "a size that is a text": (_record(size="9"), "gives 'card.json' the size '9'; expected a number of bytes"),
    "a card beyond all need": (_record(size=10**15), "gives 'card.json' the size 10{15}; expected at most 4194304"),
    "a page beyond all need": (
        lambda m: m["files"]["README.md"].update(size=2**63),
        f"gives 'README.md' the size {2**63}; expected at most 67108864 bytes",
    ),
    "another's id": (
        lambda m: m.update(id="0" * 64),
        "is about the entry '0{64}', which is not the name of",
    ),
    "an endless id": (lambda m: m.update(id=["0"] * 9999), r"is about the entry \['0'.*\.\.\., which is not the name"),
    "other content": (
        lambda m: m["content"].update(state="0" * 64),
        r"lists content whose id is \w+, which is not",
    ),
    "version 0": (lambda m: m.update(format_version=0), "has the unknown schema version 0; .* No release has written"),
    "version true": (lambda m: m.update(format_version=True), "has the unknown schema version True"),
    "version 1.0": (lambda m: m.update(format_version=1.0), r"has the unknown schema version 1\.0"),
    "version '1'": (lambda m: m.update(format_version="1"), "has the unknown schema version '1'"),
    "no version": (lambda m: m.pop("format_version"), "has the unknown schema version None"),
    **{
        f"a file called {name!r}": (_one_file_more(name), "in 'files'; expected exactly")
        for name in ("../../outside.txt", "/etc/passwd", "..\\out", "C:\\x", "extra.bin", "card.json/", "CARD.JSON", "")
    },
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_breaks_a_rule_is_refused(zoo: Zoo, entry_id: str, case: str) -> None:
    change, sentence = MANIFESTS[case]
    rewrite_manifest(zoo.path / entry_id, change)
    file = "card.json" if case == "another file's digest" else "manifest.json"
    refused(zoo, entry_id, file, sentence)


def test_a_manifest_beyond_all_need_is_refused(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / entry_id / "manifest.json").write_bytes(b" " * 65_537)
    refused(zoo, entry_id, "manifest.json", "has 65537 bytes; expected at most 65536")


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "another licence": ({"data": [{"licence": "public domain"}]}, r"holds content with the digest \w+; the entry's id"),
    "another number": ({"num_cells": 5}, "holds content with the digest"),
    "a float for a whole number": ({"seed": 0.0}, r"card\['seed'\] is 0\.0; expected a whole number"),
    "a truth for a whole number": ({"channels": True}, r"card\['channels'\] is True; expected a whole number above 0"),
    "classes that do not agree": (
        {"classes": ["one"]},
        r"card\['num_classes'\] is 3, but card\['classes'\] names 1",
    ),
    "data that is a text": (
        {"data": "../../etc/passwd"},
        r"card\['data'\] is '\.\./.*'; expected a list of data",
    ),
    "an endless kind": ({"kind": "x" * 99_999}, r"card\['kind'\] is 'x+\.\.\.; expected 'single' or 'mixture'"),
    "version 0": ({"schema_version": 0}, "has the unknown schema version 0; .* No release has written"),
    "version true": ({"schema_version": True}, "has the unknown schema version True"),
    "an endless version": ({"schema_version": "9" * 99_999}, r"has the unknown schema version '9+\.\.\.; this"),
    "no version": ({"schema_version": None}, "has the unknown schema version None"),
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_that_lies_is_refused(zoo: Zoo, entry_id: str, case: str) -> None:
    changes, sentence = CARDS[case]
    card = json.loads((zoo.path / entry_id / "card.json").read_text()) | changes
    put(zoo.path / entry_id, "card.json", json.dumps(card).encode())
    refused(zoo, entry_id, "card.json", sentence)


def test_a_forged_card_that_add_would_refuse_is_refused_though_it_is_true_to_its_id(
    zoo: Zoo, make_entry: EntryMaker
) -> None:
    entry_id = forge(zoo, dict(make_entry().state), {"schema_version": 1, "channels": "many"})
    refused(zoo, entry_id, "card.json", r"cannot be used: .*card\['channels'\] is 'many'")


@pytest.mark.parametrize("file", ["manifest.json", "card.json"])
def test_what_a_newer_release_wrote_asks_for_an_upgrade_and_is_not_called_damaged(
    zoo: Zoo, entry_id: str, file: str
) -> None:
    folder = zoo.path / entry_id
    if file == "manifest.json":
        rewrite_manifest(folder, lambda manifest: manifest.update(format_version=2, signature="..."))
    else:
        card = json.loads((folder / file).read_text()) | {"schema_version": 2}
        put(folder, file, json.dumps(card).encode())

    sentence = rf"{file} of zoo entry {entry_id} was written by a newer supernet-tl .*: upgrade supernet-tl to read it"
    for read in (zoo.get, zoo.card):
        with pytest.raises(NewerVersionError, match=sentence):
            read(entry_id)
    assert [(problem.file, problem.damaged) for problem in zoo.verify()] == [(file, False)]
    assert zoo.fix(zoo.verify()) == {}
    assert entry_id in zoo


def test_a_card_beyond_all_need_is_refused_when_it_is_added(zoo: Zoo, make_entry: EntryMaker) -> None:
    entry = make_entry(log="x" * MAX_CARD_BYTES)
    with pytest.raises(CardError, match=r"makes a file of \d+ bytes; expected at most 4194304\. Leave out"):
        zoo.add(entry)
    assert len(zoo) == 0


@pytest.mark.parametrize(
    "filling", [{}, "|", "\x80"], ids=["no data cards", "signs to escape", "signs without a shape"]
)
def test_the_page_of_the_largest_card_is_one_that_is_read(zoo: Zoo, make_entry: EntryMaker, filling: Any) -> None:
    # Oracle: the ratio of the two limits, 16, with a card of 1/64 of the largest.
    size = MAX_CARD_BYTES // 64
    data = [filling] * (size // 8) if filling == {} else [{"name": filling * (size // 2)}]
    entry_id = zoo.add(make_entry(data=data))
    files = {file: (zoo.path / entry_id / file).stat().st_size for file in LISTED_FILES}
    assert files["README.md"] < 16 * files["card.json"]


@pytest.mark.parametrize(
    "data",
    [
        b"{%s}" % b",".join(b'"%d":1' % (number % 99_999) for number in range(100_000)),
        b'{"%s": [%s]}' % (b"x" * 200_000, b",".join([b"1"] * 100_000)),
        b"[%s]" % b",".join([b"1e999"] * 100_000),
        b"[%s1%s]" % (b'{"a":' * 900, b"}" * 900),
        b'{"a": %s}' % (b"9" * 1_000_000),
        b'{"a": 1.%s}' % (b"9" * 1_000_000),
    ],
    ids=["one key of many twice", "a long key above many", "many faults", "deep", "many digits", "a long fraction"],
)
def test_no_json_takes_longer_than_in_proportion_to_its_size(data: bytes) -> None:
    # Oracle: what grew with the square of the size took minutes for these.
    begin = time.process_time()
    with suppress(ValueError):
        parse(data)
    assert time.process_time() - begin < 5
