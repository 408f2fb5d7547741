"""Datasets as labelled clouds: embedding, optimal-transport distances, ranking."""

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
