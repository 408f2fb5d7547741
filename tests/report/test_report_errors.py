"""Runs that no report can be made of are refused with a sentence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from supernet_tl.errors import SupernetTLError
from supernet_tl.report import ReportError, TargetGroup, build_overview, build_report
from supernet_tl.report.run_reader import RANKING_SCHEMA, SUMMARY_SCHEMA

if TYPE_CHECKING:
    from tests.report.conftest import RunWriter


def edit(file: Path, *keys: str, value: Any = None, remove: bool = False) -> None:
    """Change one value of a JSON file."""
    content = json.loads(file.read_text())
    holder = content
    for key in keys[:-1]:
        holder = holder[key]
    if remove:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    file.write_text(json.dumps(content))


def test_report_errors_are_errors_of_the_package() -> None:
    assert issubclass(ReportError, SupernetTLError)


def test_the_reader_knows_the_schema_that_runs_are_written_with() -> None:
    from supernet_tl.summary import SCHEMA

    assert (SUMMARY_SCHEMA, RANKING_SCHEMA) == (SCHEMA, 1)


def test_an_unfinished_run_is_refused_and_nothing_is_written(transfer_run: Path) -> None:
    (transfer_run / "summary.json").unlink()
    with pytest.raises(ReportError, match=r"the run is not finished. Repeat its command to finish it"):
        build_report(transfer_run)
    assert not (transfer_run / "report.html").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"holds no summary.json; expected the --output of a finished"):
        build_report(tmp_path)
    with pytest.raises(ReportError, match=r"nowhere is no folder"):
        build_report(tmp_path / "nowhere")


def test_a_run_on_other_images_cannot_be_compared(
    transfer_run: Path, tmp_path: Path, make_scratch_run: "RunWriter"
) -> None:
    other = make_scratch_run(tmp_path / "other", target={"name": "faces", "fingerprint": "be" * 32})
    with pytest.raises(ReportError, match=r"is a run on faces \(images bebebebebebe\).*only runs on the same images"):
        build_report(transfer_run, {"from scratch": other})
    with pytest.raises(ReportError, match=r"only runs on the same images"):
        build_overview("title", [TargetGroup("digits", {"a": transfer_run, "b": other})], tmp_path / "overview.html")


def test_a_summary_of_another_schema_is_refused(transfer_run: Path) -> None:
    edit(transfer_run / "summary.json", "schema_version", value=99)
    with pytest.raises(ReportError, match=r"has schema_version 99; this version reads 1"):
        build_report(transfer_run)


def test_a_summary_that_is_no_json_is_refused(transfer_run: Path) -> None:
    (transfer_run / "summary.json").write_text("{")
    with pytest.raises(ReportError, match=r"summary.json is not valid JSON"):
        build_report(transfer_run)
    (transfer_run / "summary.json").write_text("[]")
    with pytest.raises(ReportError, match=r"summary.json holds a list, not an object"):
        build_report(transfer_run)


@pytest.mark.parametrize(
    ("keys", "value", "sentence"),
    [
        (("network", "test_accuracy"), "good", r"network, test_accuracy is 'good'; expected a number"),
        (("network", "num_parameters"), 1.5, r"num_parameters is 1.5; expected a whole number"),
        (("target", "name"), 7, r"target, name is 7; expected a string"),
        (("time_to_accuracy",), [1], r"time_to_accuracy lists 1; expected objects only"),
        (("recipe", "space"), "s9", r"names the search space 's9'; known are s1"),
        (("genotype", "normal"), [["none", 0]], r"holds no genotype of space 's1'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(
    transfer_run: Path, keys: tuple[str, ...], value: Any, sentence: str
) -> None:
    edit(transfer_run / "summary.json", *keys, value=value)
    with pytest.raises(ReportError, match=sentence):
        build_report(transfer_run)


def test_a_missing_value_is_named(transfer_run: Path) -> None:
    edit(transfer_run / "summary.json", "network", "test_accuracy", remove=True)
    with pytest.raises(ReportError, match=r"summary.json, network lacks 'test_accuracy'"):
        build_report(transfer_run)


def test_missing_or_empty_metrics_are_refused(transfer_run: Path) -> None:
    (transfer_run / "metrics.csv").write_text("stage,epoch,seconds\n")
    with pytest.raises(ReportError, match=r"metrics.csv has no row of stage 'search'"):
        build_report(transfer_run)
    (transfer_run / "metrics.csv").write_text("stage,epoch,seconds\nsearch,one,1.0\n")
    with pytest.raises(ReportError, match=r"metrics.csv is no table of epochs"):
        build_report(transfer_run)
    (transfer_run / "metrics.csv").unlink()
    with pytest.raises(ReportError, match=r"metrics.csv is missing, though the run is finished"):
        build_report(transfer_run)


def test_damaged_tensors_are_refused(transfer_run: Path) -> None:
    (transfer_run / "samples.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ReportError, match=r"samples.safetensors is damaged"):
        build_report(transfer_run)


def test_tensors_of_the_wrong_shape_are_refused(tmp_path: Path, make_run: "RunWriter") -> None:
    run = make_run(tmp_path / "run")
    save_file({"target": np.zeros((2, 48, 48, 3), np.uint8)}, run / "samples.safetensors")
    with pytest.raises(ReportError, match=r"target is uint8 of shape \(2, 48, 48, 3\); expected uint8 images"):
        build_report(run)
    save_file({"normal": np.zeros((3, 14, 7), np.float32)}, run / "mixing_weights.safetensors")
    with pytest.raises(
        ReportError, match=r"normal holds \(3, 14, 7\); expected mixing weights of shape \(epochs \+ 1, 14, 2\)"
    ):
        build_report(run)


def test_an_overview_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"an overview of no targets was asked for"):
        build_overview("title", [], tmp_path / "overview.html")
    with pytest.raises(ReportError, match=r"the target 'digits' has no runs"):
        build_overview("title", [TargetGroup("digits", {})], tmp_path / "overview.html")
    with pytest.raises(ReportError, match=r"'digits', 'from scratch' lists no run folder"):
        build_overview("title", [TargetGroup("digits", {"from scratch": []})], tmp_path / "overview.html")
    assert not (tmp_path / "overview.html").exists()
