from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Outcomes
from tests.supernet_tl.evaluating.small_jobs import make_job

Write = Callable[[str, str], None]


@pytest.fixture(params=["folder", "memory", "file URL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Outcomes, Write]:
    """Outcomes, and a way to put any text beside them."""
    if request.param == "memory":
        address = f"memory://{uuid.uuid4().hex}/outcomes"
    else:
        address = str(tmp_path / "outcomes") if request.param == "folder" else f"file://{tmp_path}/outcomes"

    def write(name: str, text: str) -> None:
        with fsspec.open(f"{address}/{name}", "w", auto_mkdir=True) as file:
            file.write(text)

    return Outcomes(address), write


def test_a_place_that_is_not_there_yet_holds_nothing(place: tuple[Outcomes, Write]) -> None:
    outcomes, _ = place
    assert outcomes.names() == set()
    assert outcomes.failures(["run-a"]) == {}
    assert outcomes.failure("run-a") is None
    assert "run-a" not in outcomes


def test_an_outcome_is_read_as_it_was_left_with_its_job(place: tuple[Outcomes, Write]) -> None:
    outcomes, _ = place
    first, second = make_job(1), make_job(2)
    later = make_job(3, first, second)
    outcomes.put(later, {"result": {"accuracy": 0.5, "größe": [1, None]}})
    outcomes.put(first, {"result": None})
    assert outcomes.names() == {later.name, first.name}
    assert later.name in outcomes
    assert second.name not in outcomes
    found = outcomes.get(later.name)
    assert found["result"] == {"accuracy": 0.5, "größe": [1, None]}
    assert Job.from_dict(found) == later
    assert set(outcomes.get_all([later.name, second.name])) == {later.name}


def test_failures_are_counted_until_the_job_is_finished(place: tuple[Outcomes, Write]) -> None:
    outcomes, _ = place
    job, other = make_job(1), make_job(2)
    outcomes.put_failure(job.name, {"error": "no memory", "traceback": "line 1"})
    outcomes.put_failure(job.name, {"error": "no disk", "traceback": "line 2"})
    assert outcomes.names() == set()
    failures = outcomes.failures([job.name, other.name])
    assert [attempt["error"] for attempt in failures[job.name].attempts] == ["no memory", "no disk"]
    assert outcomes.failures([other.name]) == {}
    outcomes.put(job, {"result": 1})
    assert outcomes.failure(job.name) is None
    assert outcomes.failures([job.name]) == {}
    assert outcomes.names() == {job.name}


def test_numbers_that_are_not_finite_are_refused_and_leave_nothing(place: tuple[Outcomes, Write]) -> None:
    outcomes, _ = place
    with pytest.raises(ValueError, match="not JSON compliant"):
        outcomes.put(make_job(1), {"result": float("nan")})
    assert outcomes.names() == set()


def test_what_is_missing_damaged_or_foreign_is_told_with_what_to_do(place: tuple[Outcomes, Write]) -> None:
    outcomes, write = place
    job, other = make_job(1), make_job(2)
    with pytest.raises(EvaluationError, match=rf"job {job.name} has no outcome .* Repeat the command to go on"):
        outcomes.get(job.name)
    outcomes.put(job, {"result": 1})
    whole = json.dumps(outcomes.get(job.name))
    write(f"{job.name}.json", whole[:40])
    with pytest.raises(EvaluationError, match=rf"outcome of job {job.name} .* is damaged .* delete the file"):
        outcomes.get(job.name)
    for foreign in ("[1, 2]", '{"schema_version": 99}', '{"schema_version": 1, "name": "another"}'):
        write(f"{other.name}.json", foreign)
        with pytest.raises(EvaluationError, match=rf"{re.escape(other.name)}.json is no outcome of that job .*away"):
            outcomes.get(other.name)


def test_files_of_other_kinds_and_halves_of_killed_writers_are_no_outcomes(place: tuple[Outcomes, Write]) -> None:
    outcomes, write = place
    for name in ("notes.txt", ".run-a.json.77.tmp", ".run-b.json"):
        write(name, "{")
    assert outcomes.names() == set()


def test_a_damaged_record_of_failures_is_begun_anew(place: tuple[Outcomes, Write]) -> None:
    outcomes, write = place
    job = make_job(1)
    write(f"{job.name}.failed.json", '{"attempts": ')
    assert outcomes.failure(job.name) is None
    outcomes.put_failure(job.name, {"error": "no memory"})
    (attempt,) = outcomes.failures([job.name])[job.name].attempts
    assert attempt["error"] == "no memory"
