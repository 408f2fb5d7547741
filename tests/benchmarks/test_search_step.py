from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import search_step
from benchmarks.plain_search import Method
from benchmarks.search_arms import ARMS, Case, Setting, check_agreement

TINY = Case("s1", channels=4, num_cells=3, batch_size=4, num_classes=3)
SETTING = Setting(image_size=8, steps=2)


@pytest.mark.parametrize("method", ["plain", "random", "adversarial"])
def test_both_arms_see_the_same_losses_step_by_step(method: Method) -> None:
    steps = {name: build(TINY, method, SETTING) for name, build in ARMS.items()}
    for _ in range(2):
        check_agreement(steps, "fp32")


@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_arms_that_compute_something_else_are_not_timed(wrong: float) -> None:
    def losses(weight: float) -> Callable[[], tuple[Tensor, Tensor]]:
        return lambda: (torch.tensor(1.0), torch.tensor(weight))

    check_agreement({"plain": losses(1.0), "ours": losses(1.0001)}, "fp32")
    with pytest.raises(SystemExit, match=r"our weight loss is .*, the plain one 1; expected a relative difference"):
        check_agreement({"plain": losses(1.0), "ours": losses(wrong)}, "fp32")


def test_the_report_keeps_every_raw_time_and_divides_plain_by_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_step, "CASES", {"s1-small": TINY})
    path = tmp_path / "report.json"
    search_step.main(
        [*"--cases s1-small --methods plain --steps 3 --image-size 8 --no-memory --json".split(), str(path)]
    )
    report = json.loads(path.read_text())
    (result,) = report["results"]
    assert report["setting"]["steps"] == len(result["plain"]["cpu_s"]) == len(result["ours"]["wall_s"]) == 3
    middle = {arm: sorted(result[arm]["cpu_s"])[1] for arm in ("plain", "ours")}
    assert result["speedup_cpu"] == pytest.approx(middle["plain"] / middle["ours"])
    assert {"cpu", "torch", "date"} <= set(report["machine"])


def test_peak_memory_is_that_of_the_arm_without_the_libraries() -> None:
    # Oracle: a separable convolution keeps at least four maps for its backward pass, and the first cell has fourteen
    # of them; from above, all that a process holds after importing the libraries (some 300 MB).
    case = Case("s2", channels=4, num_cells=3, batch_size=16, num_classes=3)
    peak = search_step.peak_memory("plain", case, "plain", Setting())
    if peak is None:
        pytest.skip("this system does not tell a process its peak memory")
    one_map = 4 * 16 * 4 * 32 * 32
    assert 14 * 4 * one_map < peak < 250e6


@pytest.mark.parametrize("option", ["--steps", "--warmup"])
def test_no_steps_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        search_step.main([option, "0"])
    assert "expected at least 1 of each" in capsys.readouterr().err
