"""Addresses of repositories on the Hugging Face Hub."""

import re
from dataclasses import dataclass
from typing import Literal

from zoo_store.errors import ZooPathError

SCHEME = "hf://"

_PREFIXES: dict[str, Literal["model", "dataset"]] = {"models": "model", "datasets": "dataset"}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubAddress:
    """A repository, and the branch, tag or commit of it that is meant.

    Args:
        repo_id: OWNER/NAME.
        repo_type: what kind of repository the Hub takes it for.
        revision: None for the main branch.
    """

    repo_id: str
    repo_type: Literal["model", "dataset"] = "model"
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubAddress":
        """Read ``hf://[datasets/]OWNER/NAME[@REVISION]``.

        Raises:
            ZooPathError: it is not of that form.
        """
        path, at, revision = text.removeprefix(SCHEME).removesuffix("/").partition("@")
        first, *rest = path.split("/")
        repo_type = _PREFIXES.get(first, "model") if len(rest) == 2 else "model"
        names = rest if len(rest) == 2 and first in _PREFIXES else [first, *rest]
        if (
            len(names) != 2
            or not all(_NAME.fullmatch(name) and "--" not in name and ".." not in name for name in names)
            or names[1].endswith(".git")
            or (at and (not _REVISION.fullmatch(revision) or ".." in revision))
        ):
            raise ZooPathError(
                f"{text!r} is not a repository on the Hugging Face Hub; expected hf://OWNER/NAME, or "
                "hf://datasets/OWNER/NAME, and if need be @ with a branch, tag or commit behind it."
            )
        return cls("/".join(names), repo_type, revision or None)

    @property
    def is_commit(self) -> bool:
        """Whether a commit is meant, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        prefix = "datasets/" if self.repo_type == "dataset" else ""
        return f"{SCHEME}{prefix}{self.repo_id}{'' if self.revision is None else f'@{self.revision}'}"
