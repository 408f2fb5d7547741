"""Values out of JSON files, each of the kind it must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet_tl.report.errors import ReportError


@dataclass(frozen=True)
class Fields:
    """A JSON object with the file it came from, so that a missing value can be named.

    Args:
        values: the object.
        where: file and path inside it, for error sentences.
    """

    values: Mapping[str, Any]
    where: str

    @classmethod
    def read(cls, path: Path) -> Fields:
        """The object that a JSON file holds.

        Raises:
            ReportError: the file is no JSON object.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ReportError(f"{path} is not valid JSON ({error}); repeat the run with --overwrite.") from error
        if not isinstance(values, dict):
            raise ReportError(
                f"{path} holds a {type(values).__name__}, not an object; repeat the run with --overwrite."
            )
        return cls(values, str(path))

    def check_schema(self, known: int) -> None:
        """Refuse a file of another schema version."""
        found = self.values.get("schema_version")
        if found != known:
            raise ReportError(
                f"{self.where} has schema_version {found!r}; this version reads {known}. "
                "Use the version of supernet-tl that made the run."
            )

    def text(self, key: str) -> str:
        """A string."""
        return str(self._of_kind(key, str, "a string"))

    def integer(self, key: str) -> int:
        """A whole number."""
        return int(self._of_kind(key, int, "a whole number"))

    def flag(self, key: str) -> bool:
        """True or false."""
        return bool(self._of_kind(key, bool, "true or false"))

    def number(self, key: str) -> float:
        """A number."""
        return float(self._of_kind(key, (int, float), "a number"))

    def number_or_none(self, key: str) -> float | None:
        """A number, or None where the file has null."""
        return None if self._present(key) is None else self.number(key)

    def integer_or_none(self, key: str) -> int | None:
        """A whole number, or None where the file has null."""
        return None if self._present(key) is None else self.integer(key)

    def text_or_none(self, key: str) -> str | None:
        """A string, or None where the file has null or nothing."""
        return None if self.values.get(key) is None else self.text(key)

    def object(self, key: str) -> Fields:
        """An object."""
        return Fields(self._of_kind(key, dict, "an object"), f"{self.where}, {key}")

    def object_or_none(self, key: str) -> Fields | None:
        """An object, or None where the file has null."""
        return None if self._present(key) is None else self.object(key)

    def objects(self, key: str) -> tuple[Fields, ...]:
        """A list of objects."""
        found = self._of_kind(key, list, "a list")
        wrong = [value for value in found if not isinstance(value, dict)]
        if wrong:
            raise ReportError(f"{self.where}, {key} lists {wrong[0]!r}; expected objects only.")
        return tuple(Fields(value, f"{self.where}, {key}[{index}]") for index, value in enumerate(found))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(str(value) for value in self._of_kind(key, list, "a list"))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers."""
        found = self._of_kind(key, list, "a list")
        wrong = [value for value in found if not isinstance(value, int | float) or isinstance(value, bool)]
        if wrong:
            raise ReportError(f"{self.where}, {key} lists {wrong[0]!r}; expected numbers only.")
        return tuple(float(value) for value in found)

    def _present(self, key: str) -> Any:
        if key not in self.values:
            raise ReportError(
                f"{self.where} lacks {key!r}; the run was made by another version or its file was edited."
            )
        return self.values[key]

    def _of_kind(self, key: str, kind: type | tuple[type, ...], words: str) -> Any:
        value = self._present(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ReportError(f"{self.where}, {key} is {value!r}; expected {words}.")
        return value
