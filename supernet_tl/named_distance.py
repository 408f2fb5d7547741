"""Distances between datasets by name, with the coupling that pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ot_select
from ot_select.otdd import PresetName
from supernet_tl.errors import ComparisonError

_PRESETS: Mapping[str, PresetName | None] = {"otdd": None, "otdd-paper": "paper"}


@dataclass(frozen=True)
class _NamedOTDD:
    """The OTDD of all rows, with its coupling."""

    name: str

    def __call__(self, cloud_a: ot_select.LabelledCloud, cloud_b: ot_select.LabelledCloud) -> ot_select.DistanceResult:
        rows = max(cloud_a.num_rows, cloud_b.num_rows)
        return ot_select.otdd(cloud_a, cloud_b, max_samples=rows, preset=_PRESETS[self.name], keep_coupling=True)


def named_distance(name: str) -> ot_select.DatasetDistance:
    """The distance of a name.

    Args:
        name: ``otdd`` or ``otdd-paper``.

    Raises:
        ComparisonError: there is no such distance.
    """
    if name not in _PRESETS:
        raise ComparisonError(f"there is no distance {name!r}; expected one of {', '.join(_PRESETS)}.")
    return _NamedOTDD(name)
