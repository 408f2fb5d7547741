"""The place of one evaluation: whose it is, its outcomes, its zoo, and what is shown of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.outcomes import Outcomes
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.small_files import SmallFiles

SCHEMA = 1
_CARD = "evaluation.json"


@dataclass(frozen=True)
class EvaluationFolder:
    """A local folder or any address that fsspec knows.

    Attributes:
        address: of it.
        storage_options: passed on to fsspec.
    """

    address: str
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return "://" not in self.address

    @property
    def path(self) -> Path:
        """The local folder."""
        return Path(self.address)

    def under(self, name: str) -> str:
        """The address of something in it."""
        return str(self.path / name) if self.is_local else f"{self.address.rstrip('/')}/{name}"

    @property
    def _files(self) -> SmallFiles:
        return SmallFiles(self.address, self.storage_options)

    @property
    def outcomes(self) -> Outcomes:
        """Those of its jobs."""
        return Outcomes(self.under("jobs"), self.storage_options)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other evaluations out of a local folder; elsewhere nothing does.

        Raises:
            EvaluationError: another process has it.
        """
        if not self.is_local:
            yield
            return
        if self.path.exists() and not self.path.is_dir():
            raise EvaluationError(f"{self.path} is a file; the output of an evaluation is a folder. Choose another.")
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise EvaluationError(
                f"{self.path} is in use by another evaluation; wait for it, or choose another --output."
            ) from None

    def check(self, recipe: EvaluationRecipe) -> None:
        """Refuse a recipe by which the evaluation here cannot go on; one without a finished job binds nobody.

        Raises:
            EvaluationError: there is something else, or an evaluation by a recipe that makes other numbers.
        """
        found = self._found()
        if found is None:
            self._refuse_other_things()
            return
        if self.outcomes.names() and (differences := found.differences(recipe)):
            told = "; ".join(f"{name}: there {old!r}, here {new!r}" for name, (old, new) in differences.items())
            raise EvaluationError(
                f"{self.address} holds an evaluation by another recipe ({told}). Give the recipe that it was begun "
                "with, or choose another --output; entries of its zoo are used again with --zoo "
                f"{self.under('zoo')}."
            )

    def claim(self, recipe: EvaluationRecipe) -> None:
        """Begin an evaluation, or go on with the one that is here; the recipe was checked."""
        if self._found() != recipe:
            self._write(_CARD, {"schema_version": SCHEMA, "recipe": recipe.to_dict()})

    def recipe(self) -> EvaluationRecipe:
        """The recipe of the evaluation that is here.

        Raises:
            EvaluationError: there is none, or it cannot be read.
        """
        found = self._found()
        if found is None:
            raise EvaluationError(f"{self.address} holds no evaluation; expected one that leave-one-out began.")
        return found

    def _found(self) -> EvaluationRecipe | None:
        there = self._read(_CARD)
        if there is None:
            return None
        try:
            return EvaluationRecipe.from_dict(there["recipe"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvaluationError(
                f"{self.under(_CARD)} cannot be read ({error}); choose another --output, or put that file right."
            ) from error

    @contextmanager
    def shown(self) -> Iterator[Path]:
        """A local folder for tables and pages, which end up in this one."""
        if self.is_local:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="supernet-tl-") as temporary:
            yield Path(temporary)
            files = self._files
            for path in sorted(Path(temporary).iterdir()):
                files.write(path.name, path.read_bytes())

    def _refuse_other_things(self) -> None:
        if not self.is_local:
            return
        found = sorted(item.name for item in self.path.iterdir() if not item.name.startswith("."))
        if set(found) - {"zoo", "work"}:
            raise EvaluationError(
                f"{self.path} is not empty and holds no evaluation (found {', '.join(found[:3])}"
                f"{', …' if len(found) > 3 else ''}); choose a new or empty folder as --output."
            )

    def _read(self, name: str) -> dict[str, Any] | None:
        files = self._files
        try:
            content = files.read(name)
        except FileNotFoundError:
            return None
        try:
            values: dict[str, Any] = json.loads(content)
        except ValueError as error:
            raise EvaluationError(
                f"{self.under(name)} is damaged ({error}); choose another --output, or put that file right."
            ) from error
        return values

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        self._files.write(name, (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def folder_at(address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> EvaluationFolder:
    """The place at a path or a URL."""
    return EvaluationFolder(os.fspath(address), dict(storage_options or {}))
