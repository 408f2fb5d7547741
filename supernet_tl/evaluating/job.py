"""One independent piece of an evaluation, named by its content; nothing heavy is imported for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from supernet_tl.recipe import digest

Kind = Literal["pretrain", "select", "run", "baseline"]
"""``pretrain`` makes a zoo entry; ``select`` chooses among entries; ``run`` searches on a target and trains the final
network; ``baseline`` fine-tunes a pretrained network of another kind."""

NUMBERS = 1
"""Part of every job's name. Raised when the same settings begin to give other numbers: a changed default, another
algorithm. What was finished before is then done anew."""

_ADDRESSES = ("target", "sources")


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        kind: what is done.
        spec: plain JSON values: all that the outcome depends on, other jobs by their names; and under ``target`` or
            ``sources`` where the images are, which the name does not cover where it covers their ``fingerprints``.
        tags: plain JSON values that tables find the job by, such as ``target``, ``seed``, ``arm``; people see them in
            the name, and its hash does not cover them.
        needs: names of jobs whose outcomes are read; the job can begin when all are finished.
    """

    kind: Kind
    spec: Mapping[str, Any] = field(repr=False)
    tags: Mapping[str, Any]
    needs: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """Kind and tags for people, then the beginning of a hash of kind and spec, for a file's name."""
        known = None not in self.spec.get("fingerprints", (None,))
        hashed = {key: value for key, value in self.spec.items() if not (known and key in _ADDRESSES)}
        content = digest({"numbers": NUMBERS, "kind": self.kind, "spec": hashed})
        told = (
            ("by_" if key == "by" else "seed" if key == "seed" else "") + str(value)
            for key, value in self.tags.items()
            if value is not None
        )
        slug = re.sub(r"[^A-Za-z0-9_.]+", "_", "-".join(told).replace("-", "."))[:80]
        return f"{self.kind}-{slug}-{content[:12]}"

    def to_dict(self) -> dict[str, Any]:
        """The job as plain JSON values."""
        values = {"kind": self.kind, "spec": self.spec, "tags": self.tags, "needs": self.needs}
        return json.loads(json.dumps(values))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """What :meth:`to_dict` gave."""
        return cls(values["kind"], values["spec"], values["tags"], tuple(values["needs"]))

    def __str__(self) -> str:
        """The job as people read it."""
        told = {key: value for key, value in self.tags.items() if value is not None}
        return f"{self.kind} " + ", ".join(f"{key} {value}" for key, value in told.items())
