"""OTDD: the optimal-transport distance between two labelled clouds.

A dataset is a set of weighted points (x, y). The squared distance between two points is |x - x'|^2 + W^2(y, y'), where
W^2 is a squared distance between their classes, and the squared distance between two datasets is the least mean of that
over all couplings. Everything here is in feature units squared, and nothing is halved.

Source: Alvarez-Melis & Fusi 2020, arXiv:2002.02866.
"""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ot_select.arrays import FloatArray, check_flag, check_positive_int, check_seed
from ot_select.cloud import LabelledCloud
from ot_select.distances.coupling import CouplingResult, exact_coupling
from ot_select.distances.device import DTYPES, Precision, check_precision, compute_device
from ot_select.distances.ground_cost import squared_distances
from ot_select.distances.label_distance import Inner, label_distances
from ot_select.distances.protocol import DistanceResult
from ot_select.distances.side import Side, check_clouds, two_sides
from ot_select.distances.sinkhorn import check_positive, entropic_coupling
from ot_select.distances.unit import Unit
from ot_select.errors import OptionError
from ot_select.rows import sample

Outer = Literal["exact", "entropic", "debiased"]
PresetName = Literal["paper"]

_PAPER_REGULARISATION = 0.2  # eps = 0.1 for the halved cost of the published implementation
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class OTDDResult(DistanceResult):
    """The OTDD and its evidence.

    ``squared`` is what :class:`OTDD` says for its ``outer``; only the debiased value may be slightly negative.
    ``label_distances`` holds the squared distances between classes that were used.
    """

    label_distances: FloatArray


@dataclass(frozen=True, eq=False)
class Problem:
    """A transport problem between two datasets, ready to be solved or bounded.

    Attributes:
        a: the rows compared of cloud a.
        b: the rows compared of cloud b.
        cost: squared distances between points, labels included, shape (n, m), in ``unit`` squared.
        label_distances: between classes in the order of the sides, shape (k_a, k_b), in ``unit`` squared.
        converged: whether the label distances are what they should be.
    """

    a: Side
    b: Side
    cost: Tensor
    label_distances: Tensor
    converged: bool

    @property
    def unit(self) -> Unit:
        """What costs and label distances are squares of; their ``unit.squares`` are in feature units squared."""
        return self.a.unit


@dataclass(frozen=True)
class OTDD:
    """The optimal-transport dataset distance with its options; a :class:`DatasetDistance`.

    Class statistics come from the very rows that are coupled. Neither the order of rows nor the names of labels change
    a number; where ``outer`` is exact or debiased, a cloud and its shuffled copy are at distance 0.

    With C the squared distances between points and a, b their weights, ``squared`` is
    ``"exact"``: min <P, C>, by network simplex;
    ``"entropic"``: OT_eps = min <P, C> + eps KL(P | a b), positive even between equal clouds;
    ``"debiased"``: the Sinkhorn divergence OT_eps(A, B) - OT_eps(A, A) / 2 - OT_eps(B, B) / 2, which may be slightly
    negative where label distances make C no squared distance of a Hilbert space, or where Sinkhorn stops early.
    Entropic values are dual values at the tolerance; the optimum lies above them by ``dual_gap`` at most (either way by
    that much when debiased).

    Attributes:
        outer: how points are coupled.
        inner: the squared distance between classes: ``"gaussian"``, 2-Wasserstein between classes as Gaussians;
            ``"diagonal"``, the same with diagonal covariances; ``"means"``, between class means; ``"exact"``,
            2-Wasserstein between the class samples.
        regularisation: eps of an entropic coupling, in feature units squared; ``None`` when exact.
        tolerance: L1 marginal error at which Sinkhorn stops, 1e-3 by default; ``None`` when exact.
        max_iterations: of each solver, those between the samples of two classes included; ``None`` for its own default.
            A run cut short is ``converged=False``.
        drop_singletons: leave out classes with a single row, as the published implementation does. By default such a
            class has no spread.
        precision: of label distances and of the cost between points. ``"float32"`` moves ``squared`` by less than 1e-6
            of the mean squared distance between points (1e-7 on clouds of up to 512 features), by up to 5e-6 where
            outliers are ten thousand times and more as far away as the rest. Couplings are float64 either way.
        device: where to compute; ``None`` for the device that both clouds came from. The network simplex always runs
            on the CPU.
        keep_coupling: keep the (n, m) coupling in the result; it is large, so by default it is not held.

    Raises:
        OptionError: an option is out of range, or options do not fit together.
    """

    outer: Outer = "exact"
    inner: Inner = "gaussian"
    _: KW_ONLY
    regularisation: float | None = None
    tolerance: float | None = None
    max_iterations: int | None = None
    drop_singletons: bool = False
    precision: Precision = "float64"
    device: str | torch.device | None = None
    keep_coupling: bool = False

    def __post_init__(self) -> None:
        for option, kinds in (("outer", get_args(Outer)), ("inner", get_args(Inner))):
            if getattr(self, option) not in kinds:
                raise OptionError(
                    f"{option} is {getattr(self, option)!r}, but one of {', '.join(map(repr, kinds))} is needed."
                )
        check_precision(self.precision)
        for flag in ("drop_singletons", "keep_coupling"):
            check_flag(flag, getattr(self, flag))
        if self.max_iterations is not None:
            check_positive_int("max_iterations", self.max_iterations)
        if self.outer == "exact":
            for option in ("regularisation", "tolerance"):
                if getattr(self, option) is not None:
                    raise OptionError(
                        f"{option} is {getattr(self, option)!r}, but the exact coupling has none. "
                        f"Leave it out, or give outer='entropic' or outer='debiased'."
                    )
            return
        if self.regularisation is None:
            raise OptionError(
                f"outer={self.outer!r} needs a regularisation in feature units squared, and none was given. "
                f"Give for instance regularisation={_PAPER_REGULARISATION}, or outer='exact'."
            )
        check_positive("regularisation", self.regularisation)
        if self.tolerance is None:
            object.__setattr__(self, "tolerance", _TOLERANCE)
        check_positive("tolerance", self.tolerance)

    @classmethod
    def paper(cls) -> "OTDD":
        """The paper's: debiased, eps 0.1 for d^2 / 2 (0.2 for d^2), stopped at an L1 marginal error of 1e-3."""
        return cls("debiased", regularisation=_PAPER_REGULARISATION)

    @property
    def name(self) -> str:
        """One word for the distance; where it computes and what it keeps are no part of it."""
        words = ["otdd"]
        if (self.outer, self.regularisation, self.tolerance) == ("debiased", _PAPER_REGULARISATION, _TOLERANCE):
            words.append("paper")
        elif self.outer != "exact":
            words.append(f"{self.outer}-eps{self.regularisation!r}-tol{self.tolerance!r}")
        if self.inner != "gaussian":
            words.append(self.inner)
        if self.max_iterations is not None:
            words.append(f"max{self.max_iterations}")
        if self.drop_singletons:
            words.append("no-singletons")
        if self.precision != "float64":
            words.append(self.precision)
        return "-".join(words)

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> OTDDResult:
        """The distance between all rows of two clouds.

        Args:
            cloud_a: n rows, d features.
            cloud_b: m rows, the same d features.

        Raises:
            DimensionMismatchError: the clouds have different numbers of features.
            OptionError: the device cannot be used, none was named and the clouds came from different ones, or a
                squared distance does not fit float64.
            CloudError: ``drop_singletons`` leaves a cloud without rows.
        """
        return self.solve(self.problem(cloud_a, cloud_b))

    def problem(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> Problem:
        """The transport problem between two clouds, not yet solved; arguments and errors as for the distance."""
        check_clouds(cloud_a, cloud_b)
        a, b = two_sides(
            cloud_a,
            cloud_b,
            device=compute_device(self.device, cloud_a.device, cloud_b.device),
            dtype=DTYPES[self.precision],
            drop_singletons=self.drop_singletons,
        )
        return self._between(a, b)

    def solve(self, problem: Problem) -> OTDDResult:
        """The distance of a problem that :meth:`problem` posed."""
        between = self._couple(problem)
        squared, dual_gap, solved = between.value, between.dual_gap, [between]
        if self.outer == "debiased" and problem.a.same_points(problem.b):
            squared, dual_gap = 0.0, 0.0  # three equal terms, whatever they are
        elif self.outer == "debiased":
            for side in (problem.a, problem.b):
                within = self._couple(self._between(side, side))
                squared -= within.value / 2
                dual_gap += within.dual_gap / 2
                solved.append(within)
        unit = problem.unit
        table = unit.fitting_squares(problem.label_distances.cpu().double().numpy())
        return OTDDResult(
            squared=unit.fitting_squares(squared).item(),
            label_distances=table[np.ix_(problem.a.class_order, problem.b.class_order)],
            labels_a=problem.a.labels,
            labels_b=problem.b.labels,
            converged=all(result.converged for result in solved),
            marginal_error=max(result.marginal_error for result in solved),
            dual_gap=unit.squares(dual_gap).item(),
            num_rows=(len(problem.a.rows), len(problem.b.rows)),
            rows_a=problem.a.rows,
            rows_b=problem.b.rows,
            coupling=between.plan if self.keep_coupling else None,
        )

    def _between(self, a: Side, b: Side) -> Problem:
        cost = squared_distances(a.features, b.features)
        labels, converged = label_distances(a, b, self.inner, max_iterations=self.max_iterations)
        columns = torch.as_tensor(b.class_positions, device=cost.device)
        for label, rows in zip(labels, a.class_rows, strict=True):
            cost[rows] += label[columns]
        return Problem(a, b, cost, labels, converged)

    def _couple(self, problem: Problem) -> CouplingResult:
        weights_a, weights_b = problem.a.weights, problem.b.weights
        limit = {} if self.max_iterations is None else {"max_iterations": self.max_iterations}
        if self.regularisation is None or self.tolerance is None:
            coupling = exact_coupling(problem.cost, weights_a=weights_a, weights_b=weights_b, **limit)
        else:
            coupling = entropic_coupling(
                problem.cost,
                weights_a=weights_a,
                weights_b=weights_b,
                regularisation=problem.unit.measure_square("regularisation", self.regularisation),
                tolerance=self.tolerance,
                symmetric=problem.a.same_points(problem.b),
                **limit,
            )
        return replace(coupling, converged=coupling.converged and problem.converged)


@dataclass(frozen=True)
class Preset:
    """A named way to compute the distance other than exactly.

    Attributes:
        distance: with its options.
        max_samples: rows of each cloud that are compared unless the caller says otherwise.
    """

    distance: OTDD
    max_samples: int


PRESETS: dict[str, Preset] = {"paper": Preset(OTDD.paper(), max_samples=1000)}


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises:
        OptionError: there is none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise OptionError(
            f"There is no preset {name!r}; the presets are {', '.join(map(repr, PRESETS))}. "
            "Name one of them, or give preset=None for the exact distance."
        )
    return PRESETS[name]


def otdd(
    cloud_a: LabelledCloud,
    cloud_b: LabelledCloud,
    *,
    max_samples: int | None = None,
    seed: int = 0,
    preset: PresetName | None = None,
    drop_singletons: bool = False,
    keep_coupling: bool = False,
    precision: Precision = "float64",
    device: str | torch.device | None = None,
) -> OTDDResult:
    """The optimal-transport dataset distance, exact unless a preset is named.

    A sample of both clouds, then :class:`OTDD`, which has further options. The same cloud on both sides gives the same
    rows, hence 0.

    Args:
        cloud_a: n rows, d features.
        cloud_b: m rows, the same d features.
        max_samples: compare at most so many rows of each cloud (:func:`draw_rows`). ``None`` compares all rows, or as
            many as the preset says.
        seed: of that sample.
        preset: ``None`` for the exact distance; ``"paper"`` for ``OTDD.paper()`` on at most 1,000 rows.
        drop_singletons: as :class:`OTDD`, among the rows compared.
        keep_coupling: as :class:`OTDD`.
        precision: as :class:`OTDD`.
        device: as :class:`OTDD`.

    Raises:
        DimensionMismatchError: the clouds have different numbers of features.
        OptionError: an option is outside its range, or the device cannot be used.
        CloudError: ``drop_singletons`` leaves a cloud without rows.
    """
    check_clouds(cloud_a, cloud_b)
    seed = check_seed(seed)
    distance = OTDD()
    if preset is not None:
        chosen = preset_named(preset)
        distance = chosen.distance
        max_samples = chosen.max_samples if max_samples is None else max_samples
    distance = replace(
        distance, drop_singletons=drop_singletons, keep_coupling=keep_coupling, precision=precision, device=device
    )
    if max_samples is None:
        return distance(cloud_a, cloud_b)
    limit = check_positive_int("max_samples", max_samples)
    (rows_a, sample_a), (rows_b, sample_b) = (sample(cloud, limit, seed) for cloud in (cloud_a, cloud_b))
    result = distance(sample_a, sample_b)
    return replace(result, rows_a=rows_a[result.rows_a], rows_b=rows_b[result.rows_b])
