"""A few altered entries; `make test-fuzz` makes a hundred thousand."""

import pytest

from tests.zoo_store.fuzz.campaign import run
from tests.zoo_store.fuzz.mutations import KINDS, Mutation
from tests.zoo_store.fuzz.oracle import Oracle, ViolationError, tiny_entries
from zoo_store.format.manifest import FileRecord


def test_altered_entries_are_refused_or_say_the_same() -> None:
    # Oracle: the entry as it was added, and for forged ones the digests by the page of the format.
    outcome = run(250)

    assert outcome.counts.total() >= 250
    assert {kind for kind, _ in outcome.counts} == set(KINDS)
    fates = {fate for _, fate in outcome.counts}
    assert {"refused", "unchanged", "another"} <= fates <= {"refused", "unchanged", "another", "untouched"}


def test_the_oracle_takes_the_original_for_untouched_and_a_flipped_bit_for_refused() -> None:
    entries = tiny_entries()
    oracle, entry_id = Oracle(entries), next(iter(entries))
    files = dict(entries[entry_id])
    assert oracle.judge(Mutation((), "kept", entry_id, files), measure_memory=True) == "untouched"

    for name, data in files.items():
        altered = {**files, name: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]}
        assert oracle.judge(Mutation((), "kept", entry_id, altered), measure_memory=True) == "refused"


def test_the_oracle_notices_a_reader_that_trusts_hashes_it_has_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tiny_entries()
    oracle, entry_id = Oracle(entries), next(iter(entries))
    files = dict(entries[entry_id])
    monkeypatch.setattr(FileRecord, "fault_of", lambda self, data: None)
    for name, old, new in (("README.md", b"# tiny 1", b"# tiny 7"), ("card.json", b"2026-01-31", b"2027-01-31")):
        altered = {**files, name: files[name].replace(old, new)}
        with pytest.raises(ViolationError, match=r"altered and accepted|another card under the same id"):
            oracle.judge(Mutation((), "kept", entry_id, altered))


def test_the_oracle_notices_a_reader_that_trusts_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tiny_entries()
    (entry_id, files), (_, other) = ((name, dict(of)) for name, of in entries.items())
    oracle = Oracle(entries)
    monkeypatch.setattr(FileRecord, "fault_of", lambda self, data: None)
    monkeypatch.setattr("zoo_store.format.stored_entry.StoredEntry._check_digest", lambda *_, **__: None)
    for name in ("supernet.safetensors", "sketch.safetensors", "card.json"):
        with pytest.raises(ViolationError, match=r"another card under the same id|other tensors under the same id"):
            oracle.judge(Mutation((), "agree", entry_id, {**files, name: other[name]}))


def test_the_oracle_notices_an_error_that_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tiny_entries()
    oracle, entry_id = Oracle(entries), next(iter(entries))

    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("zoo_store.format.stored_entry.checked_card", fail)
    with pytest.raises(ViolationError, match="RecursionError: too deep"):
        oracle.judge(Mutation((), "kept", entry_id, entries[entry_id]))
