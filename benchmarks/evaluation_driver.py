"""What an evaluation costs beside its jobs: `python -m benchmarks.evaluation_driver`.

Jobs that do nothing but leave an outcome are done by the local executor and by a local Ray, through the driver as an
evaluation does them; seconds a job are those from the first to the last outcome, divided by the jobs. What workers
need to start and to import is told apart: a first sitting of as many jobs as there are workers, in which nothing else
is measured. A plan of many jobs is listed from a recipe of invented datasets. Each figure stands beside its goal.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from supernet_tl.evaluating.driver import run_jobs
from supernet_tl.evaluating.executors.local import LocalExecutor
from supernet_tl.evaluating.executors.protocol import Executor
from supernet_tl.evaluating.executors.ray_cluster import RayExecutor
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Outcomes
from supernet_tl.evaluating.plan import make_plan
from supernet_tl.evaluating.recipe import EvaluationRecipe

FUNCTION = "benchmarks.evaluation_driver:leave_outcome"
GOALS = {"local_s_per_job": 1.0, "ray_s_per_job": 2.0, "plan_s": 5.0}
_ARMS = ("scratch_twice", "sources", "mixture", "timm_parameters", "timm_time")


def leave_outcome(payload: Mapping[str, Any]) -> None:
    """A job that does nothing else."""
    Outcomes(payload["outcomes"]).put(Job.from_dict(payload["job"]), {"result": None})


def overhead(executor: Executor, num_jobs: int, num_workers: int) -> dict[str, float]:
    """Seconds until workers are ready, and seconds a job after that.

    Args:
        executor: is entered once for all.
        num_jobs: that are timed.
        num_workers: jobs that are done before, to have every worker started.
    """
    jobs = [Job("run", {"number": number}, {"target": str(number)}) for number in range(num_workers + num_jobs)]
    ended: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Outcomes(folder)

        def payload(job: Job) -> dict[str, Any]:
            return {"outcomes": folder, "job": job.to_dict()}

        started = time.perf_counter()
        run_jobs(jobs, outcomes, executor, payload, progress=lambda now: ended.extend(_times(now.done - len(ended))))
        assert len(outcomes.names()) == len(jobs)
    return {
        "start_s": ended[num_workers - 1] - started,
        "s_per_job": (ended[-1] - ended[num_workers - 1]) / num_jobs,
    }


def _times(number: int) -> list[float]:
    """Now, for each of the jobs that ended since."""
    return [time.perf_counter()] * number


def planning(num_jobs: int) -> dict[str, float]:
    """Seconds to list a plan of at least so many jobs, names included, of 30 datasets and as many seeds as it takes.

    ``cpu_seconds`` are those of the process itself, which differ on a machine that does much else.
    """
    datasets = tuple(f"folder/set{number}" for number in range(30))
    recipe = EvaluationRecipe(datasets=datasets, seeds=(0,), arms=_ARMS)
    a_seed = len(make_plan(recipe).jobs)
    recipe = recipe.replace(seeds=tuple(range(-(-num_jobs // a_seed) + 1)))
    started, processor = time.perf_counter(), time.process_time()
    plan = make_plan(recipe)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - processor
    return {"jobs": len(plan.jobs), "seconds": seconds, "cpu_seconds": cpu_seconds}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, tell each figure beside its goal, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, help="of the local executor")
    parser.add_argument("--workers", type=int, default=2, help="of either executor")
    parser.add_argument("--ray-jobs", type=int, default=50, help="of Ray; 0 leaves it out")
    parser.add_argument("--plan-jobs", type=int, default=10_000)
    parser.add_argument("--output", type=Path, help="JSON file with every number")
    options = parser.parse_args(arguments)
    if min(options.jobs, options.workers, options.plan_jobs) < 1 or options.ray_jobs < 0:
        parser.error("expected at least 1 job, worker and job of a plan, and 0 or more jobs of Ray")
    found: dict[str, Any] = {"machine": machine("cpu"), "goals": GOALS}
    found["local"] = overhead(LocalExecutor(FUNCTION, options.workers), options.jobs, options.workers)
    if options.ray_jobs:
        cluster = RayExecutor(FUNCTION, address="local", num_cpus=0.01, max_running=options.workers)
        found["ray"] = overhead(cluster, options.ray_jobs, options.workers)
    found["plan"] = planning(options.plan_jobs)
    _tell(found, print)
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n")


def _tell(found: Mapping[str, Any], say: Callable[[str], None]) -> None:
    for name, title in (("local", "local executor"), ("ray", "local Ray")):
        if name in found:
            seconds, goal = found[name]["s_per_job"], GOALS[f"{name}_s_per_job"]
            say(f"{title}: {seconds:.4f} s a job (goal: under {goal:g} s), {found[name]['start_s']:.1f} s to begin")
    plan = found["plan"]
    took = f"{plan['seconds']:.2f} s, {plan['cpu_seconds']:.2f} s of them at work"
    say(f"a plan of {plan['jobs']} jobs: {took} (goal: under {GOALS['plan_s']:g} s)")


if __name__ == "__main__":
    main()
