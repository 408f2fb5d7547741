"""Colours that mean the same in every picture of a page; the style sheet says what they look like, light and dark.

The hues are those of Okabe and Ito, which colour-blind readers can tell apart; a dash tells apart what shares a hue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stroke:
    """How a line is drawn.

    Attributes:
        colour: name of a colour of the style sheet, such as ``run-warm``.
        dash: lengths of an SVG dash pattern; empty for a solid line.
    """

    colour: str
    dash: tuple[float, ...] = ()

    @property
    def css(self) -> str:
        """The colour as CSS."""
        return f"var(--{self.colour})"

    @property
    def svg_dash(self) -> str:
        """The dash as an SVG attribute."""
        return " ".join(f"{length:g}" for length in self.dash) or "none"


WARM = Stroke("run-warm")
SCRATCH = Stroke("run-scratch")
_FURTHER = tuple(
    Stroke(f"run-other-{index}", dash) for dash in ((5.0, 2.0), (2.0, 2.0), (8.0, 2.0, 2.0, 2.0)) for index in (1, 2, 3)
)

_FAMILIES = {
    "skip_connect": Stroke("op-skip"),
    "max_pool_3x3": Stroke("op-pool"),
    "avg_pool_3x3": Stroke("op-pool", (3.0, 2.0)),
    "sep_conv_3x3": Stroke("op-sep"),
    "sep_conv_5x5": Stroke("op-sep", (3.0, 2.0)),
    "dil_conv_3x3": Stroke("op-dil"),
    "dil_conv_5x5": Stroke("op-dil", (3.0, 2.0)),
    "none": Stroke("op-none", (1.0, 2.0)),
    "noise": Stroke("op-none"),
}


def run_strokes(runs: Iterable[tuple[str, bool]]) -> dict[str, Stroke]:
    """A stroke for each run: the first warm start and the first search from scratch always look the same.

    Args:
        runs: label and whether the run is from scratch, in the order in which they are drawn.
    """
    strokes: dict[str, Stroke] = {}
    further = 0
    for label, from_scratch in runs:
        if label in strokes:
            continue
        preferred = SCRATCH if from_scratch else WARM
        if preferred in strokes.values():
            preferred, further = _FURTHER[further % len(_FURTHER)], further + 1
        strokes[label] = preferred
    return strokes


def primitive_stroke(primitive: str) -> Stroke:
    """A hue for each kind of op; a dash for the larger kernel and for average pooling."""
    return _FAMILIES.get(primitive, Stroke("op-none"))
