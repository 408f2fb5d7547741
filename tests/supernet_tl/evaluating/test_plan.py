"""The jobs of an evaluation, and what their names depend on."""

from __future__ import annotations

from typing import Any

import pytest

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.plan import Plan, make_plan
from supernet_tl.evaluating.recipe import Arm, EvaluationRecipe
from supernet_tl.evaluating.told_settings import recipe_of

_DATASETS = ("pocket:digits", "pocket:faces", "openml:BRD/Micro", "made/textures")
_ARMS: tuple[Arm, ...] = ("scratch_twice", "sources", "mixture", "timm_parameters", "timm_time")
_PRINTS = {dataset: f"print of {dataset}" for dataset in _DATASETS}


def _recipe(**changes: Any) -> EvaluationRecipe:
    given: dict[str, Any] = {"datasets": _DATASETS, "seeds": (0, 1), "arms": _ARMS, "select": ("nearest", "probe")}
    return EvaluationRecipe(**{**given, **changes})


def _changed(before: Plan, after: Plan) -> set[tuple[Any, ...]]:
    """Tags of the jobs of the second plan whose names the first has not."""
    return {
        (job.kind, job.tags.get("target"), job.tags.get("arm"), job.tags.get("source"), job.tags.get("by"))
        for name, job in after.jobs.items()
        if name not in before.jobs
    }


def test_the_papers_27_datasets_and_3_seeds_make_so_many_jobs() -> None:
    recipe = _recipe(datasets=tuple(f"openml:{number}" for number in range(27)), seeds=(0, 1, 2), select=("nearest",))
    assert make_plan(recipe).counts() == {
        "pretrain": 27 + 27,  # each once, and a mixture without each
        "select": 27 * 3,
        "run": 27 * 3 * (1 + 1 + 26 + 1),  # scratch, scratch with twice the epochs, every source, the mixture
        "baseline": 27 * 3 * 2,
    }


def test_a_job_comes_after_those_it_needs() -> None:
    seen: set[str] = set()
    for name, job in make_plan(_recipe(schedules={"slow": {"weight_lr": 0.01}})).jobs.items():
        assert set(job.needs) <= seen
        seen.add(name)


def test_a_target_is_never_among_its_own_sources() -> None:
    plan = make_plan(_recipe(), _PRINTS)
    for job in plan.jobs.values():
        if job.kind == "pretrain":
            continue
        needed = [job]
        while needed:
            one = needed.pop()
            if one.kind == "pretrain":
                assert job.spec["target"] not in one.spec["sources"]
            needed += [plan.jobs[name] for name in one.needs]


def test_the_same_recipe_gives_the_same_names_however_it_was_written() -> None:
    recipe = _recipe(shared={"channels": 8, "num_cells": 4})
    again = EvaluationRecipe.from_dict({**recipe.to_dict(), "shared": {"num_cells": 4, "channels": 8}})
    assert list(make_plan(recipe, _PRINTS).jobs) == list(make_plan(again, _PRINTS).jobs)


def test_the_order_of_datasets_changes_no_name_but_that_of_mixtures_and_what_starts_from_them() -> None:
    plan, turned = make_plan(_recipe(), _PRINTS), make_plan(_recipe(datasets=_DATASETS[::-1]), _PRINTS)
    assert {arm for _, _, arm, _, _ in _changed(plan, turned)} == {"mixture"}
    assert len(plan.jobs) == len(turned.jobs)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (0, 1, 2)},
        {"select": ("nearest", "probe", "random")},
        {"schedules": {"slow": {"weight_lr": 0.01}}},
    ],
)
def test_a_longer_list_adds_jobs_and_changes_none(change: dict[str, Any]) -> None:
    before, after = make_plan(_recipe(), _PRINTS), make_plan(_recipe(**change), _PRINTS)
    assert before.jobs.keys() < after.jobs.keys()
    assert _recipe(**change).differences(_recipe()) == {}


def test_fewer_targets_are_a_part_of_the_plan() -> None:
    part = make_plan(_recipe(targets=("pocket:faces",)), _PRINTS)
    assert part.jobs.keys() < make_plan(_recipe(), _PRINTS).jobs.keys()
    assert {job.tags["target"] for job in part.jobs.values() if job.kind != "pretrain"} == {"faces"}


def test_changed_images_are_other_jobs_wherever_they_are_looked_at_and_only_there() -> None:
    plan = make_plan(_recipe(), _PRINTS)
    after = make_plan(_recipe(), {**_PRINTS, "pocket:digits": "other images"})
    kept = {
        (job.kind, job.tags.get("target"), job.tags.get("arm"), job.tags.get("source")) for job in _kept(plan, after)
    }
    others = ("faces", "BRD/Micro", "textures")
    assert kept == {
        *(("pretrain", None, None, source) for source in others),
        ("pretrain", None, "mixture", None),  # the one without digits
        *(("run", target, arm, None) for target in others for arm in ("scratch", "scratch_twice")),
        *(("run", target, "source", source) for target in others for source in others if source != target),
    }


def _kept(before: Plan, after: Plan) -> list[Job]:
    return [job for name, job in after.jobs.items() if name in before.jobs]


def test_settings_of_a_final_network_change_no_pretraining_and_no_selection() -> None:
    plan, after = make_plan(_recipe()), make_plan(_recipe(target={"finetune_epochs": 7}))
    assert {kind for kind, *_ in _changed(plan, after)} == {"run", "baseline"}


def test_a_probe_searches_for_the_size_of_the_runs_and_looks_at_no_other_choice_of_the_architecture() -> None:
    sized = _recipe(target={"final": "retrain", "max_params": 3_500_000})
    wanted = {
        recipe_of(job.spec["settings"]).objective
        for job in make_plan(sized, _PRINTS).jobs.values()
        if job.kind == "run" or (job.kind == "select" and job.spec["select"] == "probe")
    }
    assert len(wanted) == 1
    assert wanted.pop().channels == 36
    chosen_otherwise = _recipe(target={"discretization": "perturbation", "projection_epochs": 3})
    changed = _changed(make_plan(_recipe(), _PRINTS), make_plan(chosen_otherwise, _PRINTS))
    assert {kind for kind, *_ in changed} == {"run", "baseline"}


def test_settings_of_selection_change_no_run_from_scratch_or_from_a_single_source() -> None:
    plan, after = make_plan(_recipe()), make_plan(_recipe(target={"num_draws": 9}))
    assert {kind for kind, *_ in _changed(plan, after)} == {"select", "baseline"}


def test_settings_of_warm_starts_leave_scratch_alone() -> None:
    plan, after = make_plan(_recipe()), make_plan(_recipe(transfer={"weight_lr": 0.01}))
    changed = _changed(plan, after)
    assert {arm for kind, _, arm, _, _ in changed if kind == "run"} == {"source", "mixture"}
    assert {by for kind, *_, by in changed if kind == "select"} == {"probe"}  # which makes warm starts


def test_pretrainings_are_of_their_own_seed_or_of_the_runs() -> None:
    assert {job.tags["seed"] for job in make_plan(_recipe()).jobs.values() if job.kind == "pretrain"} == {0}
    plan = make_plan(_recipe(pretraining_seed=None))
    assert plan.counts()["pretrain"] == 2 * make_plan(_recipe()).counts()["pretrain"]
    for job in plan.find(arm="mixture"):
        if job.kind == "run":
            assert plan.jobs[job.needs[0]].tags["seed"] == job.tags["seed"]


def test_every_distance_to_a_source_is_ranked_however_many_there_are() -> None:
    recipe = _recipe(datasets=tuple(f"openml:{number}" for number in range(27)), targets=("openml:0",), seeds=(0,))
    for job in make_plan(recipe).jobs.values():
        if job.kind == "select":
            assert job.spec["settings"]["num_ranked"] == 26
    few = make_plan(_recipe())
    assert not [job for job in few.jobs.values() if "num_ranked" in job.spec["settings"]]  # the default is enough


def test_without_the_arm_sources_each_selector_has_a_run() -> None:
    plan = make_plan(_recipe(arms=("timm_time",)))
    for by in ("nearest", "probe"):
        (run,) = plan.find(target="faces", seed=1, arm="chosen", by=by)
        (selection,) = [job for job in plan.find(target="faces", seed=1, by=by) if job.kind == "select"]
        assert run.spec["start"] == {"from": "selected", "job": selection.name}
        assert run.needs == (selection.name,)


@pytest.mark.parametrize("by", ["nearest", "probe"])
@pytest.mark.parametrize(
    ("family", "target"),
    [("pc-darts", {"final": "retrain", "perturbation": "none"}), ("drnas", {"perturbation": "none"})],
)
def test_a_selection_knows_what_decides_on_entries_of_its_family(family: str, target: dict[str, Any], by: str) -> None:
    recipe = _recipe(shared={"family": family}, pretraining={"perturbation": "none"}, target=target, select=(by,))
    selections = [job for job in make_plan(recipe).find(by=by) if job.kind == "select"]
    assert selections
    for job in selections:
        recipe_of(job.spec["settings"]).with_final()  # as it is asked of every entry


def test_a_selection_of_the_first_family_does_not_depend_on_the_final_network() -> None:
    recipe = _recipe(target={"final": "retrain", "perturbation": "none"}, select=("nearest",))
    selections = [job for job in make_plan(recipe).jobs.values() if job.kind == "select"]
    assert selections
    assert not any({"final", "perturbation"} & set(job.spec["settings"]) for job in selections)


def test_a_name_is_safe_for_files_and_a_job_reads_back() -> None:
    for name, job in make_plan(_recipe(), _PRINTS).jobs.items():
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        assert Job.from_dict(job.to_dict()).name == name


def test_a_baseline_is_sized_like_the_run_of_the_choice_or_like_scratch() -> None:
    plan = make_plan(_recipe())
    (baseline,) = plan.find(target="faces", seed=1, arm="timm_time")
    runs = {job.tags["source"]: job.name for job in plan.find(target="faces", seed=1, arm="source")}
    (scratch,) = plan.find(target="faces", seed=1, arm="scratch")
    assert baseline.spec["like"] == runs
    assert baseline.spec["else_like"] == scratch.name
    assert set(baseline.needs) == {baseline.spec["selection"], *runs.values(), scratch.name}
    alone = make_plan(_recipe(arms=("timm_time",)))
    (baseline,) = alone.find(target="faces", seed=1, arm="timm_time")
    (chosen,) = alone.find(target="faces", seed=1, arm="chosen", by="nearest")
    assert (baseline.spec["like"], baseline.spec["else_like"]) == ({}, chosen.name)


def test_each_schedule_has_a_pretrained_network_of_its_own_time() -> None:
    plan = make_plan(_recipe(arms=("timm_parameters", "timm_time"), schedules={"long": {"finetune_epochs": 99}}))
    (run,) = plan.find(target="faces", seed=1, arm="chosen", schedule="long")
    (baseline,) = plan.find(target="faces", seed=1, arm="timm_time", schedule="long")
    assert (baseline.spec["like"], baseline.spec["else_like"]) == ({}, run.name)
    assert run.name in baseline.needs
    assert not plan.find(target="faces", seed=1, arm="timm_parameters", schedule="long")
