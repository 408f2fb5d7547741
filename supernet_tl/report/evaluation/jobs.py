"""Numbers in the place of jobs' names, so that whatever stands on the page can say which jobs it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise


class JobIndex:
    """Jobs in the order in which they are first met, counted from 0.

    Args:
        names: of the jobs that come first.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for name in names:
            self.number(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Every job, at the place of its number."""
        return tuple(self._numbers)

    def number(self, name: str) -> int:
        """The number of a job, a new one where it has none yet."""
        return self._numbers.setdefault(name, len(self._numbers))

    def refer(self, names: Iterable[str]) -> str:
        """Several jobs as text: their numbers, neighbours as a range, such as ``0-3 7``."""
        numbers = sorted({self.number(name) for name in names})
        starts = [new for old, new in pairwise([-2, *numbers]) if new != old + 1]
        ends = [old for old, new in pairwise([*numbers, (numbers or [0])[-1] + 2]) if new != old + 1]
        return " ".join(
            str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=False)
        )
