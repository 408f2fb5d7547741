from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import darts
import ot_select
import supernet_tl
import zoo_store
from supernet_tl import adapt
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, Splits
from supernet_tl.errors import DivergedError, RecipeError, RunFolderError, SelectionError
from supernet_tl.training import stages as stages_module
from supernet_tl.training.history import read_csv
from supernet_tl.training.warm_schedule import WARM_SCHEDULES

SCHEDULE: dict[str, Any] = {"epochs": 2, "finetune_epochs": 2, "batch_size": 8}


def test_an_entry_holds_supernet_sketch_and_provenance(zoo_path: Path, stripes: Callable[..., ImageSet]) -> None:
    zoo = zoo_store.Zoo(zoo_path)
    assert zoo.verify() == []
    by_name = {card["name"]: entry_id for entry_id, card in zoo.cards().items()}
    assert set(by_name) == {"near", "far", "near+far"}
    entry = zoo.get(by_name["far"])
    card, source = entry.card, stripes("far", seed=2, num_classes=4)
    assert (card["kind"], card["channels"], card["num_cells"], card["num_classes"]) == ("single", 2, 3, 4)
    assert card["classes"] == list(source.class_names)
    assert card["data"][0]["licence"] == "CC0"
    assert card["data"][0]["fingerprint"] == source.fingerprint()
    assert 0 <= card["metrics"]["test_accuracy"] <= 1
    assert {"normal_alpha", "reduction_alpha"} <= set(entry.state)
    sketch = ot_select.Sketch.from_tensors(entry.sketch)
    assert sketch.num_sampled == 40
    assert sketch.dimension == 1280
    net = supernet_tl.load_supernet(zoo, by_name["far"][:8])
    assert all(torch.equal(tensor, entry.state[name]) for name, tensor in net.state_dict().items())
    mixture = zoo.card(by_name["near+far"])
    assert (mixture["kind"], mixture["num_classes"], len(mixture["data"])) == ("mixture", 7, 2)
    assert mixture["classes"][:4] == ["near/stripe0", "near/stripe1", "near/stripe2", "far/stripe0"]


@pytest.mark.parametrize(("key", "value"), [("channels", 4096), ("num_cells", 20_000), ("num_classes", 10**9)])
def test_a_card_that_tells_of_another_supernet_than_the_tensors_is_refused_before_one_is_made(
    zoo_path: Path, tmp_path: Path, key: str, value: int
) -> None:
    honest = zoo_store.Zoo(zoo_path).get(next(iter(zoo_store.Zoo(zoo_path))))
    card = {name: kept for name, kept in honest.card.items() if name != "classes"}
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    lying = zoo.add(zoo_store.ZooEntry(honest.state, honest.sketch, {**card, key: value}))
    with pytest.raises(SelectionError, match=r"holds no supernet that can be built: its (tensor|card) .*agree with"):
        supernet_tl.load_supernet(zoo, lying)


def test_a_supernet_is_loaded_by_alias_id_or_name(zoo_path: Path) -> None:
    zoo = zoo_store.Zoo(zoo_path)
    far = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "far")
    for text in (far, far[:6], "far"):
        assert supernet_tl.load_supernet(zoo_path, text).num_classes == 4


def test_a_source_is_embedded_as_the_zoos_others_are(
    zoo_path: Path, stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    shutil.copytree(zoo_path, tmp_path / "zoo")
    entry = supernet_tl.pretrain(stripes("third", seed=9), tmp_path / "zoo", control=quiet, **tiny)
    assert isinstance(entry, zoo_store.ZooEntry)
    embedders = [card["embedder"] for card in zoo_store.Zoo(tmp_path / "zoo").cards().values()]
    assert entry.card["embedder"] == embedders[0]
    assert all(embedder == embedders[0] for embedder in embedders)


def test_a_pretraining_leaves_its_numbers_and_splits_in_the_zoos_runs(zoo_path: Path) -> None:
    summaries = [json.loads(path.read_text()) for path in sorted((zoo_path / ".runs").glob("*/summary.json"))]
    assert {summary["entry"] for summary in summaries} == set(zoo_store.Zoo(zoo_path))
    assert {summary["verb"] for summary in summaries} == {"pretrain"}
    for path in (zoo_path / ".runs").iterdir():
        splits = json.loads((path / "splits.json").read_text())
        assert len(splits) == (2 if "+" in path.name or path.name.startswith("near_far") else 1)
        assert read_csv(path / "metrics.csv")[-1].epoch == 2


def test_what_the_zoo_already_holds_is_not_made_again(
    zoo_path: Path, stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control
) -> None:
    before = list(zoo_store.Zoo(zoo_path))
    entry = supernet_tl.pretrain(stripes("near", seed=1), zoo_path, control=quiet, **tiny, **embedding)
    assert isinstance(entry, zoo_store.ZooEntry)
    assert entry.card["name"] == "near"
    assert list(zoo_store.Zoo(zoo_path)) == before


def test_a_supernet_that_the_zoo_holds_without_a_tag_is_added_once_more_with_it_and_not_trained_again(
    stripes: Callable[..., ImageSet],
    tiny: dict[str, Any],
    embedding: dict[str, Any],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Control, "say", lambda self, text: said.append(text))
    images, zoo = stripes("near", seed=1), zoo_store.Zoo(tmp_path / "zoo")

    def pretrain(*tags: str) -> zoo_store.ZooEntry:
        made = supernet_tl.pretrain(images, zoo, tags=tags, control=quiet, **tiny, **embedding)
        assert isinstance(made, zoo_store.ZooEntry)
        return made

    plain = pretrain()
    assert "tags" not in plain.card
    tagged = pretrain("small", "striped", "small")
    assert tagged.card == {**plain.card, "tags": ["small", "striped"]}
    assert all(torch.equal(tensor, tagged.state[name]) for name, tensor in plain.state.items())
    assert said[-1].startswith("near: already in the zoo as ")
    assert "; added once more, tagged small, striped, as " in said[-1]
    # Whoever asks for no tag, or for one of those there, is content with what there is.
    assert pretrain("striped").card == tagged.card
    assert said[-1].endswith("; nothing to do")
    pretrain()
    assert said[-1].endswith("; nothing to do")
    assert {entry_id: entry.card for entry_id, entry in zoo.find(zoo_store.EntryFilter(tags=("small",))).items()} == {
        zoo_store.content_id(tagged): tagged.card
    }
    assert len(zoo) == 2


@pytest.mark.parametrize("tags", ["plankton", [""], [3]])
def test_a_tag_that_is_no_text_is_refused_before_anything_is_trained(
    stripes: Callable[..., ImageSet], tags: Any, quiet: Control
) -> None:
    with pytest.raises(RecipeError, match=r"tags is .*; expected a list of texts that are not empty"):
        supernet_tl.pretrain(stripes("near"), tags=tags, control=quiet)


def test_a_mixture_needs_two_sources(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    with pytest.raises(RecipeError, match="a mixture of one source"):
        supernet_tl.pretrain([stripes("near")], mixture=True, control=quiet)


def test_a_transfer_leaves_the_whole_evidence(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    target, output = stripes("target", seed=1, per_class=24), tmp_path / "run"
    result = supernet_tl.transfer(target, zoo_path, output=output, control=quiet, **SCHEDULE)
    assert result.selection is not None
    assert result.ranking is not None
    assert result.selection.name == "near"

    rows = read_csv(output / "metrics.csv")
    assert [(row.stage, row.epoch) for row in rows] == [("search", 1), ("search", 2), ("finetune", 1), ("finetune", 2)]
    summary = json.loads((output / "summary.json").read_text())
    assert summary == result.summary
    assert summary["schema_version"] == 1
    assert summary["source"]["name"] == "near"
    assert summary["warm_start"]["reinitialised"] == ["classifier.weight", "classifier.bias"]
    assert summary["warm_start"]["schedule"] == WARM_SCHEDULES["paper"].to_dict()
    assert summary["recipe"]["channels"] == 2  # adopted from the entry
    assert summary["supernet"]["validation_accuracy"] == rows[1].validation_accuracy
    splits = Splits.from_dict(json.loads((output / "splits.json").read_text()), target)
    assert summary["target"]["splits"] == splits.sizes()
    genotype = darts.Genotype.from_json((output / "genotype.json").read_text())
    assert genotype == result.genotype == result.network.genotype
    assert load_file(output / "mixing_weights.safetensors")["normal"].shape == (3, 14, 2)
    assert json.loads((output / "ranking.json").read_text())["chosen"] == result.selection.entry_id
    assert "<html" in (output / "report.html").read_text()
    assert not (output / "checkpoints").exists()

    # Oracle: accuracy of the stored network on the stored test split, computed here.
    classifier = supernet_tl.load_classifier(output / "network")
    predicted = classifier.predict(target.pixels(8, splits.test.tolist())).argmax(dim=-1).numpy()
    accuracy = float(np.mean(predicted == target.labels[splits.test]))
    assert summary["network"]["test_accuracy"] == pytest.approx(accuracy)
    assert summary["network"]["num_parameters"] == sum(p.numel() for p in classifier.network.parameters())


def test_a_warm_start_begins_where_the_source_ended(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    result = supernet_tl.transfer(stripes("t", seed=1), zoo_path, output=tmp_path / "run", control=quiet, **SCHEDULE)
    assert result.selection is not None
    assert result.selection.entry_id is not None
    source = supernet_tl.load_supernet(zoo_path, result.selection.entry_id)
    mixing = load_file(tmp_path / "run" / "mixing_weights.safetensors")
    torch.testing.assert_close(mixing["normal"][0], source.mixing_weights().normal.detach())


def test_a_warm_start_inherits_and_treats_what_its_settings_say(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**SCHEDULE, "epochs": 3, "finetune_epochs": 0, "warm_schedule": "gentle"}
    phases: dict[str, Any] = {"warm_parts": "weights", "warm_cells": 2, "warmup_epochs": 5, "held_alpha_epochs": 5}
    probing: dict[str, Any] = {"select": "probe", "probe_candidates": 1, "probe_epochs": 3}
    output = tmp_path / "run"
    result = supernet_tl.transfer(
        stripes("t", seed=1), zoo_path, "near", output=output, control=quiet, **settings, **phases
    )
    warm = result.summary["warm_start"]
    assert warm["schedule"] == {
        **WARM_SCHEDULES["gentle"].to_dict(),
        **{"parts": "weights", "cells": 2},
        **{"head_epochs": 1, "warmup_epochs": 1, "held_alpha_epochs": 1},  # a third of 3 epochs
    }
    assert {"normal_alpha", "reduction_alpha", "classifier.bias"} <= set(warm["reinitialised"])
    assert not [name for name in warm["reinitialised"] if name.startswith(("stem.", "cells.0.", "cells.1."))]
    assert f"and {len(warm['reinitialised']) - 6} more" in (output / "report.html").read_text()
    mixing = load_file(output / "mixing_weights.safetensors")["normal"]
    assert torch.equal(mixing[0], mixing[1])
    assert not torch.equal(mixing[1], mixing[2])
    # a probe of 3 epochs with longer phases runs, and is the same search
    probed = supernet_tl.transfer(stripes("t", seed=1), zoo_path, control=quiet, **settings, **phases, **probing)
    assert probed.selection is not None
    accuracies = {probe.name: probe.accuracy for probe in probed.selection.probes}
    near = next(entry_id for entry_id, card in zoo_store.Zoo(zoo_path).cards().items() if card["name"] == "near")
    assert accuracies[near] == result.summary["supernet"]["validation_accuracy"]


def test_a_search_from_scratch_uses_the_same_splits_and_has_no_source(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    target = stripes("t", seed=1)
    warm = supernet_tl.transfer(target, zoo_path, output=tmp_path / "warm", control=quiet, **SCHEDULE)
    network: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8}
    cold = supernet_tl.search(target, output=tmp_path / "cold", control=quiet, **SCHEDULE, **network)
    assert (tmp_path / "warm" / "splits.json").read_bytes() == (tmp_path / "cold" / "splits.json").read_bytes()
    assert cold.selection is None
    assert cold.ranking is None
    assert cold.summary["source"] is None
    assert cold.summary["supernet"]["num_parameters"] == warm.summary["supernet"]["num_parameters"]


def test_retraining_builds_a_network_of_another_size_from_random_weights(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control
) -> None:
    result = supernet_tl.search(
        stripes("t"),
        **{**tiny, "epochs": 1, "finetune_epochs": 1},
        final="retrain",
        retrain_channels=4,
        retrain_num_cells=4,
        control=quiet,
    )
    assert (result.network.channels, result.network.num_cells, result.network.pool_norm) == (4, 4, False)
    assert result.output is None


def test_an_inherited_network_without_fine_tuning_is_the_supernets_own(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    result = supernet_tl.search(stripes("t"), **tiny, finetune_epochs=0, output=tmp_path / "run", control=quiet)
    state = load_file(tmp_path / "run" / "supernet.safetensors")
    assert torch.equal(result.network.classifier.weight, state["classifier.weight"])
    assert result.summary["seconds"]["finetune"] == 0.0


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("stage", ["train_final", "summarise"])
def test_a_stopped_transfer_goes_on_and_does_not_repeat_the_search(
    stage: str,
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supernet_tl import pipeline

    target = stripes("t", seed=1)
    whole = supernet_tl.transfer(target, zoo_path, output=tmp_path / "whole", control=quiet, **SCHEDULE)

    def stop(*_: object) -> None:
        raise _Stopped

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, stage, stop)
        with pytest.raises(_Stopped):
            supernet_tl.transfer(target, zoo_path, output=tmp_path / "parts", control=quiet, **SCHEDULE)
    assert not (tmp_path / "parts" / "summary.json").exists()

    trained: list[str] = []
    real = stages_module.run_stage

    def noted(*args: Any, **kwargs: Any) -> Any:
        trained.append(kwargs["stage"])
        return real(*args, **kwargs)

    monkeypatch.setattr(adapt, "run_stage", noted)
    resumed = supernet_tl.transfer(target, zoo_path, output=tmp_path / "parts", control=quiet, **SCHEDULE)
    assert trained == (["finetune"] if stage == "train_final" else [])
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert {**resumed.summary, "created": 0, "seconds": 0, "time_to_accuracy": 0, "time_to_best": 0} == {
        **whole.summary,
        **{"created": 0, "seconds": 0, "time_to_accuracy": 0, "time_to_best": 0},
    }


def test_a_continued_transfer_keeps_its_source_though_a_nearer_one_has_come(
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    tiny: dict[str, Any],
    embedding: dict[str, Any],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supernet_tl import pipeline

    zoo, target = tmp_path / "zoo", stripes("target", seed=5)
    shutil.copytree(zoo_path, zoo)

    def stop(*_: object) -> None:
        raise _Stopped

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", stop)
        with pytest.raises(_Stopped):
            supernet_tl.transfer(target, zoo, output=tmp_path / "run", control=quiet, **SCHEDULE)
    began = json.loads((tmp_path / "run" / "ranking.json").read_text())["chosen"]
    supernet_tl.pretrain(stripes("twin", seed=5), zoo, control=quiet, **tiny, **embedding)
    assert supernet_tl.select(target, zoo, control=quiet).name == "twin"
    result = supernet_tl.transfer(target, zoo, output=tmp_path / "run", control=quiet, **SCHEDULE)
    assert result.summary["source"]["entry"] == began


def test_a_source_that_has_seen_the_target_is_told(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    same = supernet_tl.transfer(stripes("near", seed=1), zoo_path, select="near", control=quiet, **SCHEDULE)
    other = supernet_tl.transfer(stripes("other", seed=7), zoo_path, select="near", control=quiet, **SCHEDULE)
    assert same.summary["source"]["has_seen_target"]
    assert not other.summary["source"]["has_seen_target"]


def test_scratch_beside_a_transfer_is_continued_with_it(
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supernet_tl import pipeline

    real = adapt.train_final

    def stop_in_scratch(run: Any, *rest: Any) -> Any:
        if run.path.name == "scratch":
            raise _Stopped
        return real(run, *rest)

    arguments: dict[str, Any] = {"output": tmp_path / "run", "control": quiet, "with_scratch": True, **SCHEDULE}
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", stop_in_scratch)
        with pytest.raises(_Stopped):
            supernet_tl.transfer(stripes("t", seed=1), zoo_path, **arguments)
    supernet_tl.transfer(stripes("t", seed=1), zoo_path, **arguments)
    summary = json.loads((tmp_path / "run" / "scratch" / "summary.json").read_text())
    assert summary["source"] is None
    assert "from scratch" in (tmp_path / "run" / "report.html").read_text()


def test_evaluation_of_a_space_with_noise_follows_the_seed(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control
) -> None:
    settings = {**tiny, "epochs": 1, "finetune_epochs": 1, "space": "s4", "control": quiet}
    first, second = (supernet_tl.search(stripes("t", per_class=30), **settings) for _ in range(2))
    assert first.metrics == second.metrics
    pixels = stripes("t").pixels(8)
    assert torch.equal(first.classifier.predict(pixels), first.classifier.predict(pixels))


def test_a_final_network_that_diverges_is_an_error_and_not_a_result(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control
) -> None:
    settings = {**tiny, "epochs": 1, "finetune_epochs": 3, "finetune_lr": 1e30, "control": quiet}
    with pytest.raises(DivergedError, match="Lower --finetune-lr"):
        supernet_tl.search(stripes("t"), **settings)


@pytest.mark.parametrize(
    "product", ["supernet.safetensors", "metrics.csv", "network/network.safetensors", "checkpoints/finetune.ckpt"]
)
def test_a_damaged_product_of_a_stopped_run_is_made_again(
    product: str, stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    settings = {**tiny, "finetune_epochs": 1, "control": quiet}
    whole = supernet_tl.search(stripes("t"), output=tmp_path / "run", **settings)
    card = tmp_path / "run" / "run.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "finished": False}))
    damaged = tmp_path / "run" / product
    damaged.parent.mkdir(exist_ok=True)
    if product.startswith("checkpoints"):
        (tmp_path / "run" / "network" / "network.json").unlink()
        damaged.write_bytes(b"no checkpoint")
    else:
        damaged.write_bytes(damaged.read_bytes()[:-30])
    again = supernet_tl.search(stripes("t"), output=tmp_path / "run", **settings)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name
    assert again.metrics == whole.metrics


def test_a_mixture_of_the_same_images_or_of_the_same_names_is_refused(
    stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    with pytest.raises(RecipeError, match="have the same images twice"):
        supernet_tl.pretrain([stripes("a"), stripes("b")], mixture=True, control=quiet)
    with pytest.raises(RecipeError, match="have the same name twice"):
        supernet_tl.pretrain([stripes("a", 1), stripes("a", 2)], mixture=True, control=quiet)


def test_a_finished_run_is_not_overwritten(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    settings = {**tiny, "epochs": 1, "finetune_epochs": 0}
    supernet_tl.search(stripes("t"), output=tmp_path / "run", control=quiet, **settings)
    before = (tmp_path / "run" / "summary.json").read_bytes()
    with pytest.raises(RunFolderError, match="holds a finished search; nothing was changed"):
        supernet_tl.search(stripes("t"), output=tmp_path / "run", control=quiet, **settings)
    assert (tmp_path / "run" / "summary.json").read_bytes() == before
