from __future__ import annotations

import json
from pathlib import Path

from benchmarks import zoo_index


def test_the_report_tells_what_finding_costs_with_the_index_and_without(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    zoo_index.main(["--entries", "48", "--runs", "1", "--output", str(path)])
    report = json.loads(path.read_text())
    zoo = report["zoo"]
    # Worked out by hand: of 48 entries, 24 are of s1, 8 of these have 16 channels, a quarter of which are CC BY.
    for name in ("index made from the files", "find with a filter, new process"):
        assert zoo[name]["found"] == 2
    assert zoo["every card from its files"]["found"] == zoo["find all, new process"]["found"] == 48
    assert 0 < zoo["find with a filter, new process"]["seconds"] < zoo["find with a filter, new process"]["process_s"]
    assert zoo["find all, new process"]["peak_bytes"] > 2**20
    assert set(zoo["noticing"]) == {"added_s", "removed_s", "altered_s"}
    assert zoo["index_bytes"] > zoo["card_bytes"] / 2 > 0
    assert {"cpu", "python", "date"} <= set(report["machine"])
    assert str(tmp_path) not in path.read_text()
