"""The files of a summary."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from supernet_tl.evaluating.tables.csv_tables import to_csv
from supernet_tl.evaluating.tables.files import write_tables
from supernet_tl.evaluating.tables.latex import escape, to_latex
from supernet_tl.evaluating.tables.layout import Block, Table, number
from tests.supernet_tl.evaluating.tables.conftest import Evaluation

_LATEX = ("table1.tex", "table2.tex", "overall.tex")


@pytest.fixture(scope="module")
def summary(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.summary()


@pytest.fixture(scope="module")
def folder(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "made"
    write_tables(folder, summary)
    return folder


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_files_are_written_and_the_summary_reads_back(folder: Path, summary: dict[str, Any]) -> None:
    names = {"summary.json", "runs.csv", "values.csv", "table1.csv", "table2.csv", "overall.csv", *_LATEX}
    assert {path.name for path in folder.iterdir()} == names
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == summary


def test_an_empty_evaluation_can_be_written(evaluation: Evaluation, tmp_path: Path) -> None:
    write_tables(tmp_path, evaluation.summary(without=tuple(evaluation.outcomes)))
    assert _read(tmp_path / "values.csv") == []
    assert "\\toprule" in (tmp_path / "table1.tex").read_text(encoding="utf-8")


def test_csv_holds_every_number_to_the_last_digit(folder: Path, summary: dict[str, Any]) -> None:
    rows = _read(folder / "values.csv")
    assert len(rows) == len(summary["values"])
    for row, value in zip(rows, summary["values"], strict=True):
        assert (row["method"], row["target"], int(row["seed"])) == (value["method"], value["target"], value["seed"])
        assert row["jobs"].split(" ") == value["jobs"]
        for name in ("accuracy", "ri"):
            for part in ("supernet", "network"):
                told = row[f"{name}.{part}"]
                assert (None if told == "" else float(told)) == value[name][part]
    cells = {(row["target"], row["part"], row["method"]): row for row in _read(folder / "table1.csv")}
    for line in summary["table1"]:
        for method, cell in line["cells"].items():
            assert float(cells[line["target"], line["part"], method]["mean"]) == cell["mean"]
    overall = _read(folder / "overall.csv")
    assert [float(row["mean_ri"]) for row in overall] == [row["mean_ri"] for row in summary["overall"]]
    assert [row["seed"] for row in _read(folder / "table2.csv")][:3] == ["0", "1", "mean"]


def test_csv_keeps_commas_and_quotes_and_spreads_what_is_nested() -> None:
    text = to_csv([{"a": 'x, "y"', "b": None}, {"b": {"c": 1, "d": None}, "e": [1, 2]}])
    assert list(csv.DictReader(text.splitlines())) == [
        {"a": 'x, "y"', "b.c": "", "b.d": "", "e": ""},
        {"a": "", "b.c": "1", "b.d": "", "e": "1 2"},
    ]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50%_off", r"50\%\_off"),
        ("a&b#c$d{e}", r"a\&b\#c\$d\{e\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"),
        ("BRD/Micro", "BRD/Micro"),
    ],
)
def test_in_latex_every_character_stands_for_itself(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize("name", _LATEX)
def test_a_latex_table_is_whole(folder: Path, name: str) -> None:
    # Oracle: the grammar of a tabular, as no TeX is at hand: environments nest, every row has a cell for each column.
    text = (folder / name).read_text(encoding="utf-8")
    assert text.startswith("% Needs \\usepackage{booktabs}.\n")
    opened: list[str] = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert not opened
    bare = re.sub(r"\\[\\{}]", "", text)
    assert bare.count("{") == bare.count("}")
    (columns,) = re.findall(r"\\begin\{tabular\}\{(l?r*)\}", text)
    body = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0]
    lines = [line for line in body.splitlines() if line != "\\midrule" and "multicolumn" not in line]
    assert len(lines) > 4
    for line in lines:
        assert line.endswith(" \\\\")
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
        assert not re.search(r"(?<!\\)[%_#]", line)
    parts = re.findall(rf"\\multicolumn\{{{len(columns)}\}}\{{l\}}\{{\\emph\{{([a-z ]+)\}}\}}", text)
    assert parts == ["supernet", "final network"]


def test_latex_sets_numbers_as_formulas_and_names_as_text() -> None:
    rows = (("a_b", "-0.1000 ± 0.0200", "—"),)
    text = to_latex(Table("Gain, 5% ± 1%.", ("target", "x & y", "z"), (Block("one", rows),)), "t")
    assert r"a\_b & $-0.1000 \pm 0.0200$ & --- \\" in text
    assert r"target & x \& y & z \\" in text
    assert r"\caption{Gain, 5\% $\pm$ 1\%.}" in text


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (0.12345, None, "0.123"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (-0.5, None, "-0.500"),
        (None, 0.1, "—"),
    ],
)
def test_numbers_are_shown_with_three_digits_and_without_a_negative_zero(
    value: float | None, spread: float | None, shown: str
) -> None:
    assert number(value, 3, spread) == shown


def test_table_1_shows_each_method_for_both_parts_with_mean_and_spread(folder: Path) -> None:
    text = (folder / "table1.tex").read_text(encoding="utf-8")
    assert r"digits & $0.1500 \pm 0.0707$ &" in text
    assert r"50\%\_off & $0.1000 \pm 0.1414$" in text
    assert r"mean over targets & $0.0917 \pm 0.0118$" in text
