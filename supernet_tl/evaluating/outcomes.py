"""What finished and failed jobs left: one small JSON each, in a folder or at any address that fsspec knows."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.job import Job
from supernet_tl.files import write_whole

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

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
        self._remote: tuple[AbstractFileSystem, str] | None = None
        if "://" in self.address:
            from fsspec.core import url_to_fs

            self._remote = url_to_fs(self.address, use_listings_cache=False, **self.storage_options)

    def names(self) -> set[str]:
        """Names of the finished jobs."""
        return {name.removesuffix(".json") for name in self._files() if not name.endswith(_FAILED)}

    def __contains__(self, name: str) -> bool:
        """Whether the job of that name is finished."""
        try:
            return bool(self._read(f"{name}.json"))
        except FileNotFoundError:
            return False

    def get(self, name: str) -> dict[str, Any]:
        """The outcome of a finished job.

        Raises:
            EvaluationError: the job is not finished, or its file is damaged.
        """
        try:
            values = json.loads(self._read(f"{name}.json"))
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
        self._delete(f"{job.name}{_FAILED}")

    def forget(self, name: str) -> None:
        """Drop the outcome of a job, so that it is done again."""
        self._delete(f"{name}.json")

    def put_failure(self, name: str, attempt: Mapping[str, Any]) -> None:
        """Add a failed attempt to the record of a job."""
        known = self.failure(name)
        attempts = [*(known.attempts if known else ()), dict(attempt)]
        self._write(f"{name}{_FAILED}", {"schema_version": SCHEMA, "name": name, "attempts": attempts})

    def failure(self, name: str) -> Failure | None:
        """The failed attempts of a job; None where there are none."""
        try:
            values = json.loads(self._read(f"{name}{_FAILED}"))
            return Failure(name, tuple(values["attempts"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def failures(self, names: Iterable[str]) -> dict[str, Failure]:
        """Those of several jobs, by name."""
        there = {name.removesuffix(_FAILED) for name in self._files() if name.endswith(_FAILED)} & set(names)
        found = {name: self.failure(name) for name in sorted(there)}
        return {name: failure for name, failure in found.items() if failure is not None}

    def _files(self) -> list[str]:
        if self._remote is None:
            folder = Path(self.address)
            listed = [item.name for item in folder.iterdir()] if folder.is_dir() else []
        else:
            filesystem, root = self._remote
            filesystem.invalidate_cache()
            try:
                listed = [path.rpartition("/")[2] for path in filesystem.ls(root, detail=False)]
            except FileNotFoundError:
                listed = []
        return [name for name in listed if name.endswith(".json") and not name.startswith(".")]

    def _read(self, name: str) -> bytes:
        if self._remote is None:
            return (Path(self.address) / name).read_bytes()
        filesystem, root = self._remote
        content: bytes = filesystem.cat_file(f"{root}/{name}")
        return content

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        content = (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
        if self._remote is None:
            Path(self.address).mkdir(parents=True, exist_ok=True)
            write_whole(Path(self.address) / name, content)
            return
        filesystem, root = self._remote
        filesystem.makedirs(root, exist_ok=True)
        temporary = f"{root}/.{name}.{uuid.uuid4().hex}.tmp"
        filesystem.pipe_file(temporary, content)
        filesystem.mv(temporary, f"{root}/{name}")

    def _delete(self, name: str) -> None:
        if self._remote is None:
            (Path(self.address) / name).unlink(missing_ok=True)
            return
        filesystem, root = self._remote
        if filesystem.exists(f"{root}/{name}"):
            filesystem.rm_file(f"{root}/{name}")
