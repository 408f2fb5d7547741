from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

import darts
import supernet_tl
from supernet_tl import adapt
from supernet_tl.adapt import _search_module
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import PreparedData, evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from supernet_tl.training.history import EpochRow, read_csv
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.stopping import AccuracyPlateau, ArchitectureRow, ArchitectureStability, StopRule, has_settled
from supernet_tl.training.train_module import TrainModule
from tests.supernet_tl.training.searches import run_search

TINY: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "epochs": 2, "batch_size": 8}
EPOCHS = 8
RULES: dict[str, Callable[[], StopRule]] = {
    "accuracy": lambda: AccuracyPlateau(patience=2),
    "architecture": lambda: ArchitectureStability(num_epochs=2),
}

Run = tuple[SearchModule, History]


def _genotype(normal: str, reduction: str, sources: tuple[int, int] = (0, 1)) -> darts.Genotype:
    cells = [tuple((primitive, source) for _ in range(4) for source in sources) for primitive in (normal, reduction)]
    return darts.Genotype(*cells)


A = _genotype("skip_connect", "skip_connect")
A_SWAPPED = _genotype("skip_connect", "skip_connect", sources=(1, 0))
B = _genotype("sep_conv_3x3", "skip_connect")
C = _genotype("skip_connect", "sep_conv_3x3")


@pytest.mark.parametrize(
    ("genotypes", "entropies", "num_epochs", "settled"),
    [
        ([A], [0.5], 1, False),  # no epoch has passed
        ([A, A], [0.5, 0.5], 1, True),
        ([A, A], [0.5, 0.5], 2, False),  # one epoch of two
        ([A, A, A], [0.5, 0.5, 0.5], 2, True),
        ([A, B], [0.5, 0.5], 1, False),  # the epoch changed the genotype
        ([A, C], [0.5, 0.5], 1, False),  # in either cell type
        ([A, A_SWAPPED], [0.5, 0.5], 1, True),  # other edges are the stronger ones, of the same architecture
        ([B, A, A], [0.5, 0.5, 0.5], 2, False),  # the first of the two did
        ([A, B, A], [0.5, 0.5, 0.5], 2, False),  # there and back is a change
        ([B, B, A, A, A], [0.9, 0.1, 0.5, 0.5, 0.5], 2, True),  # what was before does not count
        ([A, A, A], [0.50, 0.505, 0.509], 2, True),
        ([A, A, A], [0.50, 0.505, 0.511], 2, False),  # the entropy moved too far up
        ([A, A, A], [0.511, 0.505, 0.50], 2, False),  # down
        ([A, A, A], [0.50, 0.52, 0.50], 2, False),  # there and back
        ([A, A], [0.5, 0.51], 1, False),  # as far as the tolerance is not less
        ([], [], 1, False),
    ],
)
def test_an_architecture_has_settled_when_genotype_and_entropy_stayed_for_so_many_epochs(
    genotypes: list[darts.Genotype], entropies: list[float], num_epochs: int, settled: bool
) -> None:
    rows = [ArchitectureRow(*row) for row in zip(genotypes, entropies, strict=True)]
    assert has_settled(rows, num_epochs, entropy_tolerance=0.01) is settled


@pytest.fixture(scope="module")
def data(stripes: Callable[..., ImageSet]) -> PreparedData:
    return prepare(stripes("target"), _recipe())


def _recipe(**changes: Any) -> Recipe:
    return Recipe(**{**TINY, "epochs": EPOCHS, "seed": 11, **changes})  # by this seed both rules end the search early


def _run(data: PreparedData, folder: Path, rules: Sequence[StopRule] = (), module: SearchModule | None = None) -> Run:
    module = module or _search_module(data, _recipe())
    return module, run_search(module, data, _recipe(), folder, rules=rules)


@pytest.fixture(scope="module")
def unstopped(data: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(data, tmp_path_factory.mktemp("unstopped"))


def _expected_last_epoch(rule: str, history: History) -> int:
    """Oracle: the whole record of the run that was not stopped, judged afterwards in plain Python."""
    if rule == "accuracy":
        accuracies = [row.validation_accuracy or 0.0 for row in history.rows]
        best = [accuracies.index(max(accuracies[: epoch + 1])) for epoch in range(EPOCHS)]
        return next(epoch + 1 for epoch in range(EPOCHS) if epoch - best[epoch] == 2)
    architectures = []
    for normal, reduction in zip(history.normal_mixing, history.reduction_mixing, strict=True):
        genotype = darts.discretize(darts.S1, normal.log(), reduction.log())
        architectures.append(
            tuple(
                sorted(cell[node : node + 2]) for cell in (genotype.normal, genotype.reduction) for node in (0, 2, 4, 6)
            )
        )
    return next(
        epoch
        for epoch in range(2, EPOCHS)
        if architectures[epoch - 2] == architectures[epoch - 1] == architectures[epoch]
    )


def _without_time(rows: Sequence[EpochRow]) -> list[dict[str, Any]]:
    return [{**vars(row), "seconds": None, "stopped": None} for row in rows]


@pytest.mark.parametrize("rule", RULES)
def test_a_search_that_ends_early_is_the_beginning_of_the_one_that_does_not(
    rule: str, data: PreparedData, unstopped: Run, tmp_path: Path
) -> None:
    whole = unstopped[1]
    last = _expected_last_epoch(rule, whole)
    assert last < EPOCHS
    module, history = _run(data, tmp_path, [RULES[rule]()])
    # The schedules of rate and radius are among the columns: they are laid out over all epochs.
    assert _without_time(history.rows) == _without_time(whole.rows[:last])
    # What is kept is the last epoch's state, not the best epoch's.
    torch.testing.assert_close(
        module.supernet.mixing_weights().normal.detach(), whole.normal_mixing[last], rtol=0, atol=0
    )
    assert [row.stopped is None for row in history.rows] == [True] * (last - 1) + [False]


@pytest.mark.parametrize("rule", RULES)
def test_a_resumed_search_ends_where_the_uninterrupted_one_does_bit_for_bit(
    rule: str, data: PreparedData, tmp_path: Path
) -> None:
    whole, whole_history = _run(data, tmp_path / "whole", [RULES[rule]()])
    before_last = len(whole_history.rows) - 1

    class StopsOnce(SearchModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == before_last:
                raise ConnectionError("the machine went away")
            super().on_train_epoch_start()

    module = _search_module(data, _recipe())
    module.__class__ = StopsOnce
    with pytest.raises(ConnectionError, match="went away"):
        _run(data, tmp_path / "parts", [RULES[rule]()], module)
    resumed, history = _run(data, tmp_path / "parts", [RULES[rule]()])
    assert len(history.rows) == len(whole_history.rows)
    assert history.rows[-1].stopped == whole_history.rows[-1].stopped is not None
    for name, tensor in whole.supernet.state_dict().items():
        assert torch.equal(tensor, resumed.supernet.state_dict()[name]), name


@pytest.mark.parametrize("rule", RULES)
def test_a_search_that_ended_is_not_trained_further_and_keeps_its_reason(
    rule: str, data: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, history = _run(data, tmp_path, [RULES[rule]()])

    def no_more(*_: object) -> None:
        raise AssertionError("a step was taken")

    monkeypatch.setattr(SearchModule, "training_step", no_more)
    again, repeated = _run(data, tmp_path, [RULES[rule]()])
    assert repeated.rows == history.rows
    for name, tensor in first.supernet.state_dict().items():
        assert torch.equal(tensor, again.supernet.state_dict()[name]), name


def test_who_resumes_with_more_patience_trains_on(data: PreparedData, unstopped: Run, tmp_path: Path) -> None:
    _run(data, tmp_path, [AccuracyPlateau(patience=1)])
    _, history = _run(data, tmp_path, [AccuracyPlateau(patience=EPOCHS)])
    assert _without_time(history.rows) == _without_time(unstopped[1].rows)


def test_a_rule_that_holds_after_the_last_epoch_stops_nothing_early(data: PreparedData, tmp_path: Path) -> None:
    recipe = _recipe(epochs=2, arch_lr=0.0)  # alphas that never move have settled after any number of epochs
    history = run_search(
        _search_module(data, recipe), data, recipe, tmp_path, rules=[ArchitectureStability(num_epochs=2)]
    )
    assert [row.stopped for row in history.rows] == [None, None]


def test_the_record_tells_the_entropy_of_every_epoch(unstopped: Run) -> None:
    # Oracle: the definition, summed here over the mixing weights that the record keeps.
    history = unstopped[1]
    for epoch, row in enumerate(history.rows, start=1):
        edges = [*history.normal_mixing[epoch].tolist(), *history.reduction_mixing[epoch].tolist()]
        entropy = -sum(weight * math.log(weight) for edge in edges for weight in edge) / len(edges)
        assert row.entropy == pytest.approx(entropy, rel=1e-6)


def test_tensorboard_shows_the_entropy_of_every_epoch(data: PreparedData, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    _, history = _run(data, tmp_path, [AccuracyPlateau(patience=1)])
    events = EventAccumulator(str(tmp_path / "logs" / "search")).Reload()
    assert [event.value for event in events.Scalars("entropy")] == [row.entropy for row in history.rows]


def test_a_run_says_on_the_terminal_in_its_files_and_in_its_report_why_and_when_it_stopped(
    stripes: Callable[..., ImageSet], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {**TINY, "epochs": 5, "finetune_epochs": 3, "arch_lr": 0.0, "stable_epochs": 2}
    result = supernet_tl.search(stripes("t"), output=tmp_path, control=Control(device="cpu"), **settings)
    reason = (
        "the genotype has not changed for 2 epochs, in which the mixing weights' mean entropy moved by less than 0.01 "
        "nats"
    )
    stopped = {"epoch": 2, "of": 5, "reason": reason}
    assert f"search: stopped after epoch 2 of 5: {reason}" in capsys.readouterr().err
    assert json.loads((tmp_path / "summary.json").read_text())["stopped_early"] == stopped
    assert result.metrics["stopped_early"] == stopped
    rows = read_csv(tmp_path / "metrics.csv")
    assert [(row.stage, row.stopped) for row in rows] == [
        *(("search", None), ("search", reason)),
        *[("finetune", None)] * 3,  # fine-tuning runs all its epochs
    ]
    page = (tmp_path / "report.html").read_text()
    assert "The search stopped early, after epoch 2 of 5: the genotype has not changed for 2 epochs" in page


def test_without_patience_or_stable_epochs_every_epoch_is_run(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    settings = {**TINY, "epochs": 3, "finetune_epochs": 0, "arch_lr": 0.0}
    result = supernet_tl.search(stripes("t"), output=tmp_path, control=quiet, **settings)
    assert len(read_csv(tmp_path / "metrics.csv")) == 3
    assert result.summary["stopped_early"] is None
    assert "stopped early" not in (tmp_path / "report.html").read_text()


def test_a_pretraining_that_stopped_early_says_so_in_its_card_and_its_summary(
    stripes: Callable[..., ImageSet], quiet: Control, embedding: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**TINY, **embedding, "epochs": 4, "arch_lr": 0.0, "stable_epochs": 1}
    entry = supernet_tl.pretrain(stripes("s"), tmp_path / "zoo", output=tmp_path / "runs", control=quiet, **settings)
    assert not isinstance(entry, list)
    assert (entry.card["metrics"]["epochs"], entry.card["recipe"]["epochs"]) == (1, 4)
    (summary,) = (tmp_path / "runs").glob("*/summary.json")
    assert json.loads(summary.read_text())["stopped_early"]["epoch"] == 1


class _Killed(Exception):
    pass


@pytest.mark.parametrize("step", ["_require_finite", "write_whole"])
def test_a_run_killed_before_its_supernet_is_in_place_runs_no_further_epochs_when_repeated(
    step: str,
    stripes: Callable[..., ImageSet],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {**TINY, "epochs": EPOCHS, "finetune_epochs": 1, "patience": 1, "control": quiet}
    whole = supernet_tl.search(stripes("t"), output=tmp_path / "whole", **settings)
    assert whole.summary["stopped_early"]["epoch"] < EPOCHS

    def kill(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(adapt, step, kill)  # between the last epoch's checkpoint and the supernet's file
        with pytest.raises(_Killed):
            supernet_tl.search(stripes("t"), output=tmp_path / "parts", **settings)
    assert (tmp_path / "parts" / "checkpoints" / "search.ckpt").exists()
    assert not (tmp_path / "parts" / "supernet.safetensors").exists()
    with monkeypatch.context() as patch:
        patch.setattr(SearchModule, "training_step", kill)
        repeated = supernet_tl.search(stripes("t"), output=tmp_path / "parts", **settings)
    assert repeated.summary["stopped_early"] == whole.summary["stopped_early"]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, repeated.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (lambda: AccuracyPlateau(0), "patience of early stopping is 0; expected more than 0"),
        (lambda: ArchitectureStability(0), "num_epochs of early stopping is 0; expected more than 0"),
        (lambda: ArchitectureStability(2, 0.0), "entropy_tolerance of early stopping is 0.0; expected more than 0"),
        (lambda: ArchitectureStability(2, math.nan), "entropy_tolerance of early stopping is nan; expected more than"),
    ],
)
def test_a_rule_that_could_never_hold_or_never_fail_is_refused(rule: Callable[[], StopRule], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        rule()


def test_a_network_without_alphas_has_no_architecture_to_settle(data: PreparedData, tmp_path: Path) -> None:
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[ArchitectureStability(1)]
    )
    network = darts.DiscreteNetwork(A, data.num_classes, channels=2, num_cells=3)
    with pytest.raises(RecipeError, match="a run of TrainModule, which has no alphas; expected a SearchModule"):
        trainer.fit(TrainModule(network), data.train_loader(_recipe()), evaluation_loader(data.validation))


@pytest.mark.filterwarnings(
    # What Lightning's command line does with jsonargparse and with arguments given as a list.
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",
    "ignore:LightningCLI's args parameter",
)
def test_a_plain_lightning_run_takes_the_rules_from_yaml_and_does_not_train_a_stopped_run_further(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "stop.yaml").write_text(
        "trainer:\n"
        "  max_epochs: 4\n"
        f"  default_root_dir: {tmp_path}\n"
        "  callbacks:\n"
        "    - class_path: supernet_tl.training.stopping.AccuracyPlateau\n"
        "      init_args: {patience: 100}\n"
        "    - class_path: supernet_tl.training.stopping.ArchitectureStability\n"
        "      init_args: {num_epochs: 2}\n"
        "model:\n"
        "  arch_optimizer:\n"
        "    class_path: torch.optim.Adam\n"
        "    init_args: {lr: 0.0}\n"
        "data:\n"
        "  max_search_images: 40\n"
    )
    recipes = Path(__file__).parents[3] / "recipes" / "search"
    configs = (recipes / "base.yaml", recipes / "tiny.yaml", tmp_path / "stop.yaml")
    command = ["fit", *(argument for config in configs for argument in ("--config", str(config)))]

    assert main(command) == 0
    assert "Training stopped after epoch 2 of 4: the genotype has not changed for 2 epochs" in caplog.text
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1  # counted from 0
    caplog.clear()
    assert main([*command, "--ckpt_path", "last"]) == 0
    assert "The training in this checkpoint had stopped early: the genotype has not changed" in caplog.text
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1
