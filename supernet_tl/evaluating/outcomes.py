"""What finished and failed jobs left: one small JSON each, in a folder or at any address that fsspec knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.small_files import SmallFiles

SCHEMA = 1
_FAILED = ".failed.json"
_READERS = 16


@dataclass(frozen=True)
class Failure:
    """A job that has not been finished yet although it was tried.

    Attributes:
        name: of the job.
        attempts: each with ``when``, ``error`` (a sentence) and ``traceback``.
    """

    name: str
    attempts: tuple[Mapping[str, Any], ...]


class Outcomes:
    """The outcomes of an evaluation's jobs.

    A file is written whole or not at all, and a finished job's is never changed.

    Args:
        address: a local folder, made when missing, or a URL that fsspec knows.
        storage_options: passed on to fsspec.
    """

    def __init__(self, address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
        self.address = os.fspath(address)
        self.storage_options = dict(storage_options or {})
        self._files = SmallFiles(self.address, self.storage_options)

    def names(self) -> set[str]:
        """Names of the finished jobs."""
        return {name.removesuffix(".json") for name in self._listed() if not name.endswith(_FAILED)}

    def __contains__(self, name: str) -> bool:
        """Whether the job of that name is finished."""
        try:
            return bool(self._files.read(f"{name}.json"))
        except FileNotFoundError:
            return False

    def get(self, name: str) -> dict[str, Any]:
        """The outcome of a finished job.

        Raises:
            EvaluationError: the job is not finished, or its file is damaged.
        """
        try:
            values = json.loads(self._files.read(f"{name}.json"))
        except FileNotFoundError:
            raise EvaluationError(
                f"job {name} has no outcome in {self.address}; it is not finished. Repeat the command to go on."
            ) from None
        except ValueError as error:
            raise EvaluationError(
                f"the outcome of job {name} in {self.address} is damaged ({error}); delete the file, and the job is "
                "done again."
            ) from error
        if not isinstance(values, dict) or values.get("schema_version") != SCHEMA or values.get("name") != name:
            raise EvaluationError(
                f"{self.address}/{name}.json is no outcome of that job (schema_version "
                f"{values.get('schema_version') if isinstance(values, dict) else None!r}; expected {SCHEMA}); move it "
                "away, and the job is done again."
            )
        return values

    def get_all(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The outcomes of those jobs that are finished, by name."""
        wanted = sorted(set(names) & self.names())
        with ThreadPoolExecutor(_READERS) as pool:
            return dict(zip(wanted, pool.map(self.get, wanted), strict=True))

    def put(self, job: Job, values: Mapping[str, Any]) -> None:
        """Keep the outcome of a job; what is known of its failures is dropped.

        Args:
            job: that was done.
            values: ``result`` and what else is to be told, plain JSON values.
        """
        whole = {"schema_version": SCHEMA, "name": job.name, **job.to_dict(), **values}
        self._write(f"{job.name}.json", whole)
        self._files.delete(f"{job.name}{_FAILED}")

    def forget(self, name: str) -> None:
        """Drop the outcome of a job, so that it is done again."""
        self._files.delete(f"{name}.json")

    def put_failure(self, name: str, attempt: Mapping[str, Any]) -> None:
        """Add a failed attempt to the record of a job."""
        known = self.failure(name)
        attempts = [*(known.attempts if known else ()), dict(attempt)]
        self._write(f"{name}{_FAILED}", {"schema_version": SCHEMA, "name": name, "attempts": attempts})

    def failure(self, name: str) -> Failure | None:
        """The failed attempts of a job; None where there are none."""
        try:
            values = json.loads(self._files.read(f"{name}{_FAILED}"))
            return Failure(name, tuple(values["attempts"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def failures(self, names: Iterable[str]) -> dict[str, Failure]:
        """Those of several jobs, by name."""
        there = {name.removesuffix(_FAILED) for name in self._listed() if name.endswith(_FAILED)} & set(names)
        found = {name: self.failure(name) for name in sorted(there)}
        return {name: failure for name, failure in found.items() if failure is not None}

    def _listed(self) -> list[str]:
        return [name for name in self._files.names() if name.endswith(".json") and not name.startswith(".")]

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        self._files.write(name, (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
