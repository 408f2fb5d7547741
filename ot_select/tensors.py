"""Arrays that PyTorch works on."""

import numpy as np
import numpy.typing as npt
import torch

ArrayLike = npt.ArrayLike | torch.Tensor


def as_tensor(array: npt.ArrayLike | torch.Tensor) -> torch.Tensor:
    """A tensor that shares memory with the array wherever PyTorch can work on that memory."""
    if isinstance(array, torch.Tensor):
        return array.detach()
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
