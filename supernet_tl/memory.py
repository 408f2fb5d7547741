"""How much memory a search will take, without taking it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import darts
from supernet_tl.recipe import Recipe
from supernet_tl.spaces import find_space

_COPIES_OF_WEIGHTS = 4  # weights, gradients, momentum, and the gradients of the step before
_CLASSES = 100


def kept_bytes(net: nn.Module, images: Tensor) -> int:
    """Bytes that a forward pass in training mode keeps for its backward pass, beside weights and images.

    Args:
        net: on any device; on ``meta`` nothing is computed or allocated.
        images: shape (batch, channels, h, w), on the same device.
    """
    own = {tensor.untyped_storage()._cdata for tensor in (*net.parameters(), *net.buffers(), images)}
    kept: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that its address is not given away again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        net.train()(images)
    return sum(storage.nbytes() for storage in kept.values())


def supernet_of(recipe: Recipe, num_classes: int) -> darts.Supernet:
    """The supernet that a recipe searches, with random weights."""
    return darts.Supernet(
        find_space(recipe.space),
        num_classes,
        recipe.channels,
        recipe.num_cells,
        recipe.in_channels,
        stem=recipe.stem,
        family=darts.FAMILIES[recipe.family],
    )


def search_bytes(recipe: Recipe) -> int:
    """About the peak of a search step on a GPU: what it keeps for the backward pass, weights and their optimizer.

    Libraries' workspaces and the context of the device come on top, a few hundred megabytes.
    """
    size = -(-recipe.batch_size // recipe.num_micro_batches)
    with torch.device("meta"):
        net = supernet_of(recipe, _CLASSES)
        images = torch.empty(size, recipe.in_channels, recipe.image_size, recipe.image_size)
        kept = kept_bytes(net, images)
    weights = sum(parameter.nbytes for parameter in net.parameters())
    return kept + _COPIES_OF_WEIGHTS * weights + 2 * images.nbytes
