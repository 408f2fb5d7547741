from __future__ import annotations

from pathlib import Path

import pytest

from supernet_tl.comparing.pair_log import PairLog


def test_what_was_added_is_found_by_its_key_and_by_no_other(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "pairs.jsonl")
    log.add("one", {"draws": [1.5, 2.5]})
    log.add("two", {"draws": [0.1]})
    for reader in (log, PairLog(tmp_path / "pairs.jsonl")):
        assert reader.get("one") == {"draws": [1.5, 2.5]}
        assert reader.get("two") == {"draws": [0.1]}
        assert reader.get("three") is None


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    PairLog(tmp_path / "log").add("key", 0.1 + 0.2)
    assert PairLog(tmp_path / "log").get("key") == 0.1 + 0.2


@pytest.mark.parametrize("torn", [b'["two", {"dra', b'["two", 2', b"\xff\xfe", b'"two"\n', b"2\n"])
def test_a_line_that_was_torn_is_passed_over_and_written_again(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    PairLog(path).add("one", 1)
    path.write_bytes(path.read_bytes() + torn)
    log = PairLog(path)
    assert (log.get("one"), log.get("two")) == (1, None)
    log.add("two", 2)
    again = PairLog(path)
    assert (again.get("one"), again.get("two")) == (1, 2)
