"""Datasets as labelled clouds: embedding, optimal-transport distances, ranking.

Names are imported when they are first used, so that the statistics of tables do without PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ot_select.cloud import LabelledCloud
    from ot_select.distances.bures import BuresWasserstein
    from ot_select.distances.coupling import CouplingResult, exact_coupling
    from ot_select.distances.label_distance import ClassGaussian, class_gaussian, gaussian_label_distances
    from ot_select.distances.names import parse_distance
    from ot_select.distances.otdd import OTDD, OTDDResult, otdd
    from ot_select.distances.protocol import DatasetDistance, DistanceResult, class_coupling
    from ot_select.distances.sinkhorn import entropic_coupling
    from ot_select.embedding.embedder import Embedder, parse_embedder
    from ot_select.embedding.identity import EmbedderIdentity
    from ot_select.embedding.networks import pretrained_network
    from ot_select.errors import (
        CloudError,
        DimensionMismatchError,
        EmbedderError,
        EmbedderMismatchError,
        NegativeDistanceError,
        OptionError,
        OTSelectError,
        SelectorError,
        SketchError,
        WeightsError,
        WeightsNotFoundError,
    )
    from ot_select.rows import draw_rows, draw_seeds
    from ot_select.selection.equal_terms import SelfDistance, self_distance
    from ot_select.selection.nearest import NearestSources, Stage, nearest_sources
    from ot_select.selection.plugins import find_selector, selector_names
    from ot_select.selection.ranker import MIN_ROWS, rank
    from ot_select.selection.ranking import Comparison, Ranking
    from ot_select.selection.selectors import SELECTORS, Candidate, Choice, Probe, Question, Selector, rank_randomly
    from ot_select.selection.source_index import SourceIndex
    from ot_select.sketches.sketch import Sketch, sketch, sketch_gaussians
    from ot_select.statistics import (
        hit_at_k,
        kendall,
        negative_transfer_rate,
        pearson,
        regret,
        relative_improvement,
        weighted_kendall,
    )

__all__ = [
    "MIN_ROWS",
    "OTDD",
    "SELECTORS",
    "BuresWasserstein",
    "Candidate",
    "Choice",
    "ClassGaussian",
    "CloudError",
    "Comparison",
    "CouplingResult",
    "DatasetDistance",
    "DimensionMismatchError",
    "DistanceResult",
    "Embedder",
    "EmbedderError",
    "EmbedderIdentity",
    "EmbedderMismatchError",
    "LabelledCloud",
    "NearestSources",
    "NegativeDistanceError",
    "OTDDResult",
    "OTSelectError",
    "OptionError",
    "Probe",
    "Question",
    "Ranking",
    "Selector",
    "SelectorError",
    "SelfDistance",
    "Sketch",
    "SketchError",
    "SourceIndex",
    "Stage",
    "WeightsError",
    "WeightsNotFoundError",
    "class_coupling",
    "class_gaussian",
    "draw_rows",
    "draw_seeds",
    "entropic_coupling",
    "exact_coupling",
    "find_selector",
    "gaussian_label_distances",
    "hit_at_k",
    "kendall",
    "nearest_sources",
    "negative_transfer_rate",
    "otdd",
    "parse_distance",
    "parse_embedder",
    "pearson",
    "pretrained_network",
    "rank",
    "rank_randomly",
    "regret",
    "relative_improvement",
    "selector_names",
    "self_distance",
    "sketch",
    "sketch_gaussians",
    "weighted_kendall",
]

_HOMES = {
    "cloud": ("LabelledCloud",),
    "distances.bures": ("BuresWasserstein",),
    "distances.coupling": ("CouplingResult", "exact_coupling"),
    "distances.label_distance": ("ClassGaussian", "class_gaussian", "gaussian_label_distances"),
    "distances.names": ("parse_distance",),
    "distances.otdd": ("OTDD", "OTDDResult", "otdd"),
    "distances.protocol": ("DatasetDistance", "DistanceResult", "class_coupling"),
    "distances.sinkhorn": ("entropic_coupling",),
    "embedding.embedder": ("Embedder", "parse_embedder"),
    "embedding.identity": ("EmbedderIdentity",),
    "embedding.networks": ("pretrained_network",),
    "errors": (
        "CloudError",
        "DimensionMismatchError",
        "EmbedderError",
        "EmbedderMismatchError",
        "NegativeDistanceError",
        "OptionError",
        "OTSelectError",
        "SelectorError",
        "SketchError",
        "WeightsError",
        "WeightsNotFoundError",
    ),
    "rows": ("draw_rows", "draw_seeds"),
    "selection.equal_terms": ("SelfDistance", "self_distance"),
    "selection.nearest": ("NearestSources", "Stage", "nearest_sources"),
    "selection.plugins": ("find_selector", "selector_names"),
    "selection.ranker": ("MIN_ROWS", "rank"),
    "selection.ranking": ("Comparison", "Ranking"),
    "selection.selectors": ("SELECTORS", "Candidate", "Choice", "Probe", "Question", "Selector", "rank_randomly"),
    "selection.source_index": ("SourceIndex",),
    "sketches.sketch": ("Sketch", "sketch", "sketch_gaussians"),
    "statistics": (
        "hit_at_k",
        "kendall",
        "negative_transfer_rate",
        "pearson",
        "regret",
        "relative_improvement",
        "weighted_kendall",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ot_select' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ot_select.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
