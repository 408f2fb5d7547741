"""What of an evaluation is finished, what is not and why, and what it was made on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Failure
from supernet_tl.evaluating.plan import Plan


def progress_of(
    plan: Plan, outcomes: Mapping[str, Mapping[str, Any]], failures: Mapping[str, Failure]
) -> dict[str, Any]:
    """How many jobs are planned and finished, and every job that is not, with the reason."""
    missing = [
        {"job": name, "kind": job.kind, "tags": dict(job.tags), **_why(job, outcomes, failures)}
        for name, job in plan.jobs.items()
        if name not in outcomes
    ]
    return {"planned": len(plan.jobs), "finished": len(plan.jobs) - len(missing), "missing": missing}


def made_on(outcomes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Machines, versions of libraries (all of them where nodes differ) and time of finished jobs together.

    ``finished`` is when the last one was.
    """
    listed = list(outcomes)
    machines = Counter((one["machine"]["device"], one["machine"]["threads"]) for one in listed)
    versions: dict[str, set[str]] = {}
    for one in listed:
        for library, version in one["versions"].items():
            versions.setdefault(library, set()).add(version)
    return {
        "machines": [
            {"device": device, "threads": threads, "num_jobs": number}
            for (device, threads), number in sorted(machines.items())
        ],
        "versions": {library: ", ".join(sorted(found)) for library, found in sorted(versions.items())},
        "cpu_seconds": round(sum(one["cpu_seconds"] for one in listed), 3),
        "seconds": round(sum(one["seconds"] for one in listed), 3),
        "finished": max((one["finished"] for one in listed), default=None),
    }


def _why(job: Job, outcomes: Mapping[str, Mapping[str, Any]], failures: Mapping[str, Failure]) -> dict[str, str | None]:
    if job.name in failures:
        attempts = failures[job.name].attempts
        return {"why": "failed", "error": str(attempts[-1].get("error")) if attempts else None}
    waits = next((need for need in job.needs if need not in outcomes), None)
    return {"why": "not run" if waits is None else f"waits for {waits}", "error": None}
