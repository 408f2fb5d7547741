"""How sharply the loss bends in the architecture parameters."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from darts.errors import DartsError
from darts.gradients import Batch, Criterion, loss_gradient
from darts.modes import evaluating, frozen
from darts.supernet import Supernet

_STEP = 1e-4
"""How far alphas are moved to either side for a difference of gradients, as a norm; in double precision."""


def largest_alpha_eigenvalue(
    net: Supernet, criterion: Criterion, batch: Batch, *, num_micro_batches: int = 1, tolerance: float = 1e-3
) -> float:
    """Largest eigenvalue of the Hessian of a batch's loss in the architecture parameters, all of them together.

    In evaluation mode and double precision, by Lanczos iteration on products of the Hessian with vectors, each a
    central difference of two gradients; the network stays as it is.

    Args:
        net: the supernet.
        criterion: loss.
        batch: images (batch, channels, h, w) and labels (batch,), those of the architecture half or validation.
        num_micro_batches: parts that the batch is taken in, to save memory.
        tolerance: relative, of the eigenvalue.

    Raises:
        DartsError: a gradient is not finite, or the iteration does not converge.

    Source: RobustDARTS (Zela et al. 2020, arXiv:1909.09656), section 4: a large eigenvalue goes with architectures that
    do much worse than their supernet.
    """
    from scipy.sparse.linalg import (  # type: ignore[import-untyped, unused-ignore]
        ArpackNoConvergence,
        LinearOperator,
        eigsh,
    )

    exact = copy.deepcopy(net).double()
    images, labels = batch[0].double(), batch[1]
    alphas = exact.arch_parameters()
    centre = parameters_to_vector(alphas).detach()
    size = len(centre)

    def gradient(point: Tensor) -> Tensor:
        vector_to_parameters(point, alphas)
        with torch.random.fork_rng(devices={point.device} if point.is_cuda else []):
            torch.manual_seed(0)  # ops that draw noise draw the same
            found = loss_gradient(exact, criterion, (images, labels), alphas, num_micro_batches=num_micro_batches)
        return torch.cat([part.flatten() for part in found.gradients])

    def product(vector: np.ndarray) -> np.ndarray:
        direction = torch.from_numpy(np.asarray(vector, dtype=np.float64).reshape(size)).to(centre)
        step = _STEP / float(direction.norm())
        change = (gradient(centre + step * direction) - gradient(centre - step * direction)) / (2 * step)
        if not torch.isfinite(change).all():
            raise DartsError(
                "the gradient of the loss in alpha is not finite; expected numbers. The search diverged: lower its "
                "learning rates."
            )
        return change.cpu().numpy()

    with evaluating(exact), frozen(exact.weight_parameters()):
        start = np.random.default_rng(0).standard_normal(size)
        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        if not np.any(product(start)):  # alphas do not matter to the loss, and the iteration could not begin
            return 0.0
        try:
            (largest,) = eigsh(operator, k=1, which="LA", tol=tolerance, v0=start, return_eigenvectors=False)
        except ArpackNoConvergence as error:
            raise DartsError(
                f"the largest eigenvalue of the Hessian in alpha was not found to {tolerance:g} ({error}); expected "
                "the iteration to converge. Raise the tolerance, or do without the eigenvalue."
            ) from error
    return float(largest)
