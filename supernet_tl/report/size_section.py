"""Accuracy against size: the networks of a sweep, drawn and told."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from supernet_tl.report.curves import Curve, draw_curves
from supernet_tl.report.palette import WARM, Stroke
from supernet_tl.report.run_record import SizedNetwork, SizeSweep
from supernet_tl.report.wording import percent

_ALL = Stroke("run-other-1", (1.0, 3.0))
_UNITS = {"params": ("parameters", "thousand parameters", 1e3), "macs": ("multiply-adds", "million multiply-adds", 1e6)}


@dataclass(frozen=True)
class SizeSection:
    """What the page says of a sweep.

    Attributes:
        unit: of the limits, in words.
        networks: the smallest first.
        svg: validation accuracy over size; None where no network was validated.
    """

    unit: str
    networks: tuple[SizedNetwork, ...]
    svg: Markup | None


def size_section(sweep: SizeSweep) -> SizeSection:
    """The section of a sweep."""
    unit, axis, scale = _UNITS[sweep.unit]
    all_networks = _curve(sweep.networks, sweep.unit, scale, unbeaten=False)
    front = _curve(sweep.networks, sweep.unit, scale, unbeaten=True)
    told = "; ".join(
        f"{_size(network, sweep.unit):,} {unit}: {percent(network.numbers.validation_accuracy)}"
        for network in sweep.networks
        if network.numbers.validation_accuracy is not None
    )
    curves = [curve for curve in (front, all_networks) if curve.x]
    svg = (
        draw_curves(curves, x_label=axis, description=f"Validation accuracy over size. {told}.", name="run-sizes")
        if curves
        else None
    )
    return SizeSection(unit, sweep.networks, svg)


def _curve(networks: tuple[SizedNetwork, ...], unit: str, scale: float, *, unbeaten: bool) -> Curve:
    """Those that no other beats are joined by a line; all of them by a dotted one."""
    points = [
        (_size(network, unit) / scale, 100 * network.numbers.validation_accuracy)
        for network in networks
        if network.numbers.validation_accuracy is not None and (network.unbeaten or not unbeaten)
    ]
    return Curve(WARM if unbeaten else _ALL, tuple(x for x, _ in points), tuple(y for _, y in points))


def _size(network: SizedNetwork, unit: str) -> int:
    return network.numbers.num_parameters if unit == "params" else network.numbers.macs
