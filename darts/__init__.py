"""Differentiable architecture search in plain PyTorch: spaces, supernets, bilevel search, discretization."""

from darts.bilevel import AlphaGradient, SearchStep, assign_alpha_gradient, first_order_gradient, search_step
from darts.complexity import count_macs, count_parameters
from darts.discrete_net import DiscreteNetwork
from darts.discretize import discretize
from darts.errors import DartsError, GenotypeError, ShapeError, SpaceError, StateError, WarmStartError
from darts.genotype import Genotype
from darts.perturb import clamp_and_normalise, perturb_adversarial, perturb_random, perturbation_radius
from darts.primitives import PRIMITIVES
from darts.space import SearchSpace, cell_edges
from darts.spaces import DARTS, S1, S2, S3, S4, S5, SPACES
from darts.supernet import MixingWeights, Supernet
from darts.warm_start import WarmStartReport, warm_start

__all__ = [
    "DARTS",
    "PRIMITIVES",
    "S1",
    "S2",
    "S3",
    "S4",
    "S5",
    "SPACES",
    "AlphaGradient",
    "DartsError",
    "DiscreteNetwork",
    "Genotype",
    "GenotypeError",
    "MixingWeights",
    "SearchSpace",
    "SearchStep",
    "ShapeError",
    "SpaceError",
    "StateError",
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
    "perturb_adversarial",
    "perturb_random",
    "perturbation_radius",
    "search_step",
    "warm_start",
]
