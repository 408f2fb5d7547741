"""The leave-one-out evaluation of the paper: plan it, have its jobs done, and show what came of them.

Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279), section 4.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import zoo_store
from supernet_tl.control import Control
from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.driver import Progress, Sitting, run_jobs
from supernet_tl.evaluating.executors.protocol import Executor
from supernet_tl.evaluating.facts import fingerprints_of
from supernet_tl.evaluating.folder import EvaluationFolder, folder_at
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.plan import Plan, make_plan
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.work import Workplace, missing_entries
from supernet_tl.recipe import digest, meant
from supernet_tl.terminal.console import StageProgress
from supernet_tl.zoos import open_zoo
from zoo_store.environment import is_offline

FUNCTION = "supernet_tl.evaluating.work:perform"
PAGE = "report.html"
_MAX_LOCAL = 8
"""Processes of about 1 GB that are started unasked."""


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation has come to.

    Attributes:
        summary: the content of ``summary.json``.
        sitting: what this call did.
        output: its folder or URL.
    """

    summary: Mapping[str, Any] = field(repr=False)
    sitting: Sitting
    output: str

    @property
    def table(self) -> list[dict[str, Any]]:
        """Table 1 of the paper: relative improvements by target and method."""
        rows: list[dict[str, Any]] = self.summary["table1"]
        return rows

    @property
    def is_complete(self) -> bool:
        """Whether every job of the plan is finished."""
        return not self.summary["progress"]["missing"]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Who does the jobs.

    Attributes:
        executor: ``local`` (processes of this machine) or ``ray`` (a Ray cluster).
        num_workers: jobs at a time; local: one for each GPU, or for each CPU core up to eight, when absent, and
            with 0 in this very process; Ray: as many as fit when absent.
        retries: how often a job that failed is tried again.
        cpus_per_job: that a job takes of a Ray cluster.
        gpus_per_job: likewise; a fraction lets several jobs share a GPU.
        ray_address: of the cluster; a local one is started when absent, unless the environment names one.
        work: local folder, on every node, for what jobs leave while they run; within a local output when absent.
    """

    executor: str = "local"
    num_workers: int | None = None
    retries: int = 1
    cpus_per_job: float = 1.0
    gpus_per_job: float = 0.0
    ray_address: str | None = None
    work: str | None = None

    def __post_init__(self) -> None:
        if self.executor not in ("local", "ray"):
            raise EvaluationError(f"executor is {self.executor!r}; expected 'local' or 'ray'.")
        least = 1 if self.executor == "ray" else 0
        if self.num_workers is not None and self.num_workers < least:
            raise EvaluationError(f"num_workers is {self.num_workers}; expected {least} or more.")
        for name in ("cpus_per_job", "gpus_per_job"):
            if not 0 <= getattr(self, name) < inf:
                raise EvaluationError(f"{name} is {getattr(self, name)}; expected a number of 0 or more.")
        if self.retries < 0:
            raise EvaluationError(f"retries is {self.retries}; expected 0 or more.")

    def start(self, control: Control) -> Executor:
        """The executor."""
        if self.executor == "ray":
            from supernet_tl.evaluating.executors.ray_cluster import RayExecutor

            return RayExecutor(
                FUNCTION,
                address=self.ray_address,
                num_cpus=self.cpus_per_job,
                num_gpus=self.gpus_per_job,
                max_running=self.num_workers,
            )
        if self.num_workers == 0:
            from supernet_tl.evaluating.executors.in_process import InProcessExecutor

            return InProcessExecutor(FUNCTION)
        from supernet_tl.evaluating.executors.local import LocalExecutor

        return LocalExecutor(FUNCTION, self.num_local(control))

    def num_local(self, control: Control) -> int:
        """Jobs at a time on this machine."""
        if self.num_workers is not None:
            return self.num_workers
        import torch

        gpus = torch.cuda.device_count() if control.device == "auto" else 0
        return gpus or (1 if control.device not in ("auto", "cpu") else min(_num_cores(), _MAX_LOCAL))

    def num_threads(self, control: Control) -> int | None:
        """PyTorch's threads in each job: the cores shared evenly; on Ray what a job asks for."""
        if self.executor == "ray":
            return max(1, int(self.cpus_per_job))
        if self.num_workers == 0:
            return None
        return max(1, _num_cores() // self.num_local(control))


def leave_one_out(
    sources: Sequence[str] | EvaluationRecipe,
    output: str | os.PathLike[str],
    select: Sequence[str] = ("nearest",),
    seeds: Sequence[int] = (0, 1, 2),
    executor: str = "local",
    *,
    zoo: str | None = None,
    workers: Workers | None = None,
    pretrain_missing: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    control: Control | None = None,
    **fields: Any,
) -> EvaluationResult:
    """Every dataset is the target once, and all others are its sources; tables and a page of what came of it.

    Jobs that are finished are never done again, so an evaluation may be spread over days: make the same call again. A
    call with more seeds, targets, arms or selectors adds what these need.

    Args:
        sources: the datasets, as every verb takes them; or a whole recipe, which then ``select``, ``seeds`` and
            ``fields`` are not given beside.
        output: folder or URL; gets ``jobs/``, ``summary.json``, tables and ``report.html``.
        select: selectors to compare.
        seeds: of splits and training on the targets.
        executor: ``local`` or ``ray``; more with ``workers``.
        zoo: of pretrained sources; entries of the same images and settings are used again. ``OUTPUT/zoo`` when absent.
        workers: who does the jobs, in the place of ``executor``.
        pretrain_missing: make entries anew that finished pretrainings left and the zoo does not hold any more.
        storage_options: passed on to fsspec, for output and zoo.
        control: device, terminal.
        **fields: of :class:`supernet_tl.evaluating.recipe.EvaluationRecipe`.

    Raises:
        EvaluationError: the recipe cannot be; a target is among its own sources; the output is of another recipe, or in
            use; an outcome is damaged; the zoo lacks entries that are still needed.
        StarterZooError: the zoo is the one that the package ships.
    """
    control = control or Control()
    workers = workers or Workers(executor=executor)
    if isinstance(sources, EvaluationRecipe):
        if fields or tuple(select) != ("nearest",) or tuple(seeds) != (0, 1, 2):
            raise EvaluationError(
                "a whole recipe was given, and beside it select, seeds or other fields of one; expected one or the "
                "other. Give recipe.replace(...)."
            )
        recipe = sources
    else:
        recipe = EvaluationRecipe.from_dict({"datasets": sources, "select": select, "seeds": seeds, **fields})
    check_selectors(recipe)
    place = folder_at(output, storage_options)
    address = place.under("zoo") if zoo is None else zoo
    store = open_zoo(address, to_write=True, storage_options=storage_options if "://" in address else None)
    with place.held():
        place.check(recipe)
        plan = plan_with_images(recipe, control)
        found = place.outcomes.get_all(plan.jobs)  # a damaged one is told of now, not after days
        missing = _without_entry(plan, found, store)
        if missing and not pretrain_missing:
            raise EvaluationError(missing_entries(store, missing))
        place.claim(recipe)
        _forget(missing, place, control)
        sitting = _work(plan, place, _workplace(place, store, workers, control), workers, control)
        summary = show(plan, place)
    return EvaluationResult(summary, sitting, place.address)


def plan_with_images(recipe: EvaluationRecipe, control: Control) -> Plan:
    """The plan in which jobs are named by the images that the datasets hold now.

    Raises:
        EvaluationError: a target is among its own sources.
        DataError: a dataset cannot be used.
    """
    return make_plan(recipe, fingerprints_of(recipe.datasets, control))


def check_selectors(recipe: EvaluationRecipe) -> None:
    """Refuse a selector that nobody offers before anything is pretrained for it.

    Raises:
        EvaluationError: with what there is.
    """
    from ot_select import selector_names

    known = selector_names()
    for name in recipe.select:
        if name not in known:
            raise EvaluationError(
                f"select has {name!r}{meant(name, known)}; expected selectors among {', '.join(known)}."
            )


def show(plan: Plan, place: EvaluationFolder) -> dict[str, Any]:
    """Write tables and page of what is there, and return the content of ``summary.json``."""
    from supernet_tl.evaluating.tables.files import write_tables
    from supernet_tl.evaluating.tables.summary import summarise_evaluation
    from supernet_tl.report.evaluation import write_evaluation_page

    outcomes = place.outcomes
    found, failures = outcomes.get_all(plan.jobs), outcomes.failures(plan.jobs)
    summary = summarise_evaluation(plan, found, failures)
    with place.shown() as folder:
        write_tables(folder, summary)
        write_evaluation_page(folder / PAGE, summary, found)
    return summary


def show_finished(
    recipe: EvaluationRecipe,
    output: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
    control: Control | None = None,
) -> dict[str, Any]:
    """Write tables and page of the jobs that are finished, and do none.

    Raises:
        EvaluationError: the output holds no evaluation, or one by another recipe.
    """
    place = folder_at(output, storage_options)
    if differences := place.recipe().differences(recipe):
        raise EvaluationError(
            f"{place.address} holds an evaluation by another recipe (they differ in {', '.join(differences)}); give "
            "the one that it was begun with."
        )
    return show(plan_with_images(recipe, control or Control()), place)


def _work(plan: Plan, place: EvaluationFolder, workplace: Workplace, workers: Workers, control: Control) -> Sitting:
    bar = StageProgress("evaluating", quiet=control.quiet)

    def payload(job: Job) -> dict[str, Any]:
        return {"job": job.to_dict(), "workplace": workplace.to_dict()}

    started = False

    def report(progress: Progress) -> None:
        nonlocal started
        if not started:
            bar.start(progress.total)
            started = True
            control.say(f"{progress.total} jobs, {progress.done} of them finished before")
        bar.reach(progress.done)

    try:
        return run_jobs(
            plan.jobs.values(),
            place.outcomes,
            workers.start(control),
            payload,
            retries=workers.retries,
            say=control.say,
            progress=report,
        )
    finally:
        bar.stop()


def _without_entry(plan: Plan, found: Mapping[str, Mapping[str, Any]], zoo: zoo_store.Zoo) -> list[str]:
    """Names of finished pretrainings that jobs still to be done start from and whose entries the zoo does not hold."""
    open_jobs = [job for name, job in plan.jobs.items() if name not in found and job.kind in ("run", "select")]
    needed = [name for name in sorted(_ancestors(plan, open_jobs) & found.keys()) if plan.jobs[name].kind == "pretrain"]
    there = set(zoo) if needed else set()
    return [name for name in needed if found[name]["result"]["entry"] not in there]


def _forget(names: Sequence[str], place: EvaluationFolder, control: Control) -> None:
    """Have pretrainings done again."""
    if names:
        control.say(f"making {len(names)} entries anew that the zoo does not hold")
    outcomes = place.outcomes
    for name in names:
        outcomes.forget(name)


def _ancestors(plan: Plan, jobs: Iterable[Job]) -> set[str]:
    """Names of all jobs that some jobs need, directly or not."""
    found: set[str] = set()
    stack = [need for job in jobs for need in job.needs]
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += plan.jobs[name].needs
    return found


def _workplace(place: EvaluationFolder, zoo: zoo_store.Zoo, workers: Workers, control: Control) -> Workplace:
    """Where workers find and leave things; what they leave while they run is kept for a later call."""
    work = workers.work
    if work is None:
        temporary = Path(tempfile.gettempdir()) / f"supernet-tl-{digest(place.address)[:12]}"
        work = str(place.path.resolve() / "work" if place.is_local else temporary)
    return Workplace(
        outcomes=str(Path(place.under("jobs")).resolve()) if place.is_local else place.under("jobs"),
        zoo=zoo.address,
        work=work,
        device=control.device,
        num_threads=workers.num_threads(control),
        skip_corrupt=control.skip_corrupt,
        drop_small_classes=control.drop_small_classes,
        loader_workers=control.workers,
        offline=is_offline(),
        storage_options=place.storage_options,
    )


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
