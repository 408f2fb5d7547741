"""How each method looks in every figure: a hue, and a shape that tells it apart without the hue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supernet_tl.report.evaluation.facts import Facts
from supernet_tl.report.palette import SCRATCH, WARM, Stroke

Shape = Literal["dot", "circle", "diamond", "square", "ring", "up", "down", "cross"]


@dataclass(frozen=True)
class Series:
    """What belongs together in a figure.

    Attributes:
        title: as the legend calls it.
        shape: of its marks.
        stroke: of its marks and lines.
    """

    title: str
    shape: Shape
    stroke: Stroke


SOURCES = Series("one single source", "dot", Stroke("run-other-2"))
_LOOKS: dict[str, tuple[Shape, Stroke]] = {
    "scratch": ("circle", SCRATCH),
    "mixture": ("square", Stroke("run-other-1")),
    "oracle": ("ring", Stroke("ink")),
    "timm_parameters": ("up", Stroke("run-other-3")),
    "timm_time": ("down", Stroke("run-other-2")),
}


def series_of(facts: Facts, method: str) -> Series:
    """A method as figures draw it."""
    look: tuple[Shape, Stroke] = (
        ("diamond", WARM) if method == facts.choice else _LOOKS.get(method, ("cross", Stroke("muted")))
    )
    return Series(facts.titles.get(method, method), *look)
