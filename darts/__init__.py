"""Differentiable architecture search in plain PyTorch: spaces, supernets, bilevel search, discretization."""

from darts.batch_norm import reestimate_batch_norm
from darts.bilevel import AlphaGradient, assign_alpha_gradient, first_order_gradient, unrolled_gradient
from darts.complexity import count_macs, count_parameters
from darts.discrete_net import DiscreteNetwork
from darts.discretize import discretize
from darts.entropy import mean_entropy
from darts.errors import (
    BatchError,
    DartsError,
    GenotypeError,
    OptimizerError,
    ShapeError,
    SpaceError,
    StateError,
    WarmStartError,
)
from darts.genotype import Genotype
from darts.gradients import Average, Batch, Criterion, LossGradient, loss_gradient, mean_loss, micro_batches
from darts.macro import STEM_STRIDES, Stem, size_multiple
from darts.perturb import clamp_and_normalise, perturb_adversarial, perturb_random, perturbation_radius
from darts.primitives import PRIMITIVES
from darts.space import SearchSpace, cell_edges
from darts.spaces import DARTS, S1, S2, S3, S4, S5, SPACES
from darts.step import Order, SearchStep, search_step
from darts.supernet import MixingWeights, Supernet
from darts.warm_start import Parts, WarmStartReport, warm_start

__all__ = [
    "DARTS",
    "PRIMITIVES",
    "S1",
    "S2",
    "S3",
    "S4",
    "S5",
    "SPACES",
    "STEM_STRIDES",
    "AlphaGradient",
    "Average",
    "Batch",
    "BatchError",
    "Criterion",
    "DartsError",
    "DiscreteNetwork",
    "Genotype",
    "GenotypeError",
    "LossGradient",
    "MixingWeights",
    "OptimizerError",
    "Order",
    "Parts",
    "SearchSpace",
    "SearchStep",
    "ShapeError",
    "SpaceError",
    "StateError",
    "Stem",
    "Supernet",
    "WarmStartError",
    "WarmStartReport",
    "assign_alpha_gradient",
    "cell_edges",
    "clamp_and_normalise",
    "count_macs",
    "count_parameters",
    "discretize",
    "first_order_gradient",
    "loss_gradient",
    "mean_entropy",
    "mean_loss",
    "micro_batches",
    "perturb_adversarial",
    "perturb_random",
    "perturbation_radius",
    "reestimate_batch_norm",
    "search_step",
    "size_multiple",
    "unrolled_gradient",
    "warm_start",
]
