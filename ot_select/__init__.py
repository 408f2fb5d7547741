"""Datasets as labelled clouds: embedding, optimal-transport distances, ranking."""

from .cloud import LabelledCloud
from .coupling import CouplingResult, exact_coupling
from .embed import Embedder, parse_embedder
from .errors import (
    CloudError,
    DimensionMismatchError,
    EmbedderError,
    EmbedderMismatchError,
    NegativeDistanceError,
    OptionError,
    OTSelectError,
    SketchError,
    WeightsError,
    WeightsNotFoundError,
)
from .identity import EmbedderIdentity
from .label_distance import ClassGaussian, class_gaussian, gaussian_label_distances
from .otdd import OTDDResult, otdd
from .ranking import Comparison, Ranking
from .selectors import rank, rank_randomly
from .sinkhorn import entropic_coupling
from .sketch import Sketch, sketch
from .statistics import relative_improvement

__all__ = [
    "ClassGaussian",
    "CloudError",
    "Comparison",
    "CouplingResult",
    "DimensionMismatchError",
    "Embedder",
    "EmbedderError",
    "EmbedderIdentity",
    "EmbedderMismatchError",
    "LabelledCloud",
    "NegativeDistanceError",
    "OTDDResult",
    "OTSelectError",
    "OptionError",
    "Ranking",
    "Sketch",
    "SketchError",
    "WeightsError",
    "WeightsNotFoundError",
    "class_gaussian",
    "entropic_coupling",
    "exact_coupling",
    "gaussian_label_distances",
    "otdd",
    "parse_embedder",
    "rank",
    "rank_randomly",
    "relative_improvement",
    "sketch",
]
