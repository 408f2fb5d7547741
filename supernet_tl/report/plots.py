"""The plots of learning curves that a page shows of its contenders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from supernet_tl.report.comparison import Contender
from supernet_tl.report.curves import accuracy_curve, draw_curves
from supernet_tl.report.run_record import RunRecord
from supernet_tl.report.wording import percent
from supernet_tl.training.history import EpochRow


@dataclass(frozen=True)
class Plot:
    """A drawn plot.

    Attributes:
        title: what it shows.
        svg: the drawing.
    """

    title: str
    svg: Markup


_PANELS = (
    ("search", "epoch", "Search: supernet over epochs", "search epochs"),
    ("search", "seconds", "Search: supernet over time", "seconds of the search"),
    ("final", "epoch", "Training the final network", "epochs of training the final network"),
)


def learning_curves(contenders: Sequence[Contender], name: str) -> tuple[Plot, ...]:
    """Validation accuracy of the search over epochs and over seconds, and of the final network's training.

    Args:
        contenders: drawn in this order, the first on top.
        name: unlike that of any other plots on the page.
    """
    plots = []
    for stage, over, title, x_label in _PANELS:
        curves, endings = [], []
        for contender in contenders:
            seeds = [_rows(record, stage) for record in contender.records]
            curve = accuracy_curve(contender.stroke, seeds, over=over)
            if curve is not None:
                curves.append(curve)
                endings.append(f"{contender.label} ends at {percent(curve.y[-1] / 100)}")
        if curves:
            description = f"{title}: validation accuracy. {'; '.join(endings)}."
            svg = draw_curves(curves, x_label=x_label, description=description, name=f"{name}-{stage}-{over}")
            plots.append(Plot(title, svg))
    return tuple(plots)


def _rows(record: RunRecord, stage: str) -> tuple[EpochRow, ...]:
    return record.search_rows if stage == "search" else record.final_rows
