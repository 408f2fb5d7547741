"""Differentiable architecture search in plain PyTorch: spaces, supernets, bilevel search, discretization."""

from darts.batch_norm import reestimate_batch_norm
from darts.bilevel import AlphaGradient, add_penalties, assign_alpha_gradient, first_order_gradient, unrolled_gradient
from darts.complexity import count_macs, count_parameters
from darts.discrete_net import DiscreteNetwork
from darts.discretize import discretize, strongest
from darts.entropy import mean_entropy
from darts.errors import (
    BatchError,
    DartsError,
    GenotypeError,
    LimitError,
    OptimizerError,
    ShapeError,
    SpaceError,
    StateError,
    WarmStartError,
)
from darts.family import FAMILIES, Family
from darts.genotype import Genotype
from darts.gradients import Average, Batch, Criterion, LossGradient, loss_gradient, mean_loss, micro_batches
from darts.hessian import largest_alpha_eigenvalue
from darts.macro import STEM_STRIDES, Stem, size_multiple
from darts.objectives.cost_table import CostTable, Unit, cost_table
from darts.objectives.expected_cost import Penalty, cost_penalty, expected_cost, limit_penalty
from darts.objectives.limits import Limit, check_limits, cost_range, strongest_within
from darts.perturb import clamp_and_normalise, perturb_adversarial, perturb_random, perturbation_radius
from darts.primitives import PRIMITIVES
from darts.projection import Decision, Judgement, Projection, num_decisions, select_by_perturbation
from darts.space import SearchSpace, cell_edges
from darts.spaces import DARTS, S1, S2, S3, S4, S5, SPACES
from darts.step import Order, SearchStep, search_step, weight_step
from darts.supernet import MixingWeights, Supernet
from darts.warm_start import Parts, WarmStartReport, warm_start

__all__ = [
    "DARTS",
    "FAMILIES",
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
    "CostTable",
    "Criterion",
    "DartsError",
    "Decision",
    "DiscreteNetwork",
    "Family",
    "Genotype",
    "GenotypeError",
    "Judgement",
    "Limit",
    "LimitError",
    "LossGradient",
    "MixingWeights",
    "OptimizerError",
    "Order",
    "Parts",
    "Penalty",
    "Projection",
    "SearchSpace",
    "SearchStep",
    "ShapeError",
    "SpaceError",
    "StateError",
    "Stem",
    "Supernet",
    "Unit",
    "WarmStartError",
    "WarmStartReport",
    "add_penalties",
    "assign_alpha_gradient",
    "cell_edges",
    "check_limits",
    "clamp_and_normalise",
    "cost_penalty",
    "cost_range",
    "cost_table",
    "count_macs",
    "count_parameters",
    "discretize",
    "expected_cost",
    "first_order_gradient",
    "largest_alpha_eigenvalue",
    "limit_penalty",
    "loss_gradient",
    "mean_entropy",
    "mean_loss",
    "micro_batches",
    "num_decisions",
    "perturb_adversarial",
    "perturb_random",
    "perturbation_radius",
    "reestimate_batch_norm",
    "search_step",
    "select_by_perturbation",
    "size_multiple",
    "strongest",
    "strongest_within",
    "unrolled_gradient",
    "warm_start",
    "weight_step",
]
