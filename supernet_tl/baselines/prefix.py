"""The longest beginning of a pretrained network that a limit of parameters allows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, takewhile

import torch
from torch import nn

import darts
from supernet_tl.errors import BaselineError


@dataclass(frozen=True)
class Features:
    """A pretrained network, whole or its beginning, that turns images into features.

    Attributes:
        net: images (b, 3, s, s) to features (b, num_features); its tensors are the pretrained network's own.
        num_features: of an image.
        num_blocks: that were kept; None for a whole network of a family whose blocks are not told apart.
        num_blocks_of: that the pretrained network has; None likewise.
        whole: whether nothing was left out but the classifier. EfficientNets have a layer after their last block, so
            that one may have all its blocks and not be whole.
    """

    net: nn.Module
    num_features: int
    num_blocks: int | None
    num_blocks_of: int | None
    whole: bool


def features_within(
    network: nn.Module, name: str, num_classes: int, image_size: int, max_parameters: int | None
) -> Features:
    """The longest beginning of a network that, with a linear classifier, has no more parameters than the limit.

    A beginning is the stem and then blocks in their order, pooled by the mean over all positions.

    Args:
        network: of timm, without its classifier.
        name: of the network, for the error.
        num_classes: of the classifier that is to come.
        image_size: side of the images, in pixels.
        max_parameters: trainable numbers, classifier included; None allows the whole network.

    Raises:
        BaselineError: not even the stem fits, or a limit is given for a network whose blocks are not told apart.
    """
    parts = stem_and_blocks(network)
    num_blocks = None if parts is None else len(parts) - 1
    num_features = _channels(network, [], image_size)[0]
    size = darts.count_parameters(network) + _classifier_size(num_features, num_classes)
    if max_parameters is None or size <= max_parameters:
        return Features(network, num_features, num_blocks, num_blocks, whole=True)
    if parts is None:
        raise BaselineError(
            f"{name} has {size} parameters with a classifier of {num_classes} classes, and max_parameters is "
            f"{max_parameters}; a network is shortened only where it has a stem and blocks in timm's conv_stem and "
            "blocks (EfficientNets, MobileNets, GhostNets) or conv1 and layer1 to layer4 (ResNets). Name one of these, "
            "or leave max_parameters out."
        )
    channels = _channels(nn.Sequential(*parts), parts, image_size)
    sizes = [
        body + _classifier_size(width, num_classes)
        for body, width in zip(accumulate(map(darts.count_parameters, parts)), channels, strict=True)
    ]
    fitting = [index for index, size in enumerate(sizes) if size <= max_parameters]
    if not fitting:
        raise BaselineError(
            f"the stem of {name} has {sizes[0]} parameters with a classifier of {num_classes} classes, and "
            f"max_parameters is {max_parameters}; expected room for the stem at least. Give a larger limit or name "
            "a smaller network."
        )
    last = fitting[-1]
    net = nn.Sequential(*parts[: last + 1], nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Features(net, channels[last], last, num_blocks, whole=False)


def stem_and_blocks(network: nn.Module) -> list[nn.Module] | None:
    """The stem and each block of a network, in the order in which images pass them; None where they are not known."""
    children = dict(network.named_children())
    if "conv_stem" in children and isinstance(children.get("blocks"), nn.Sequential):
        stages = ["blocks"]
    elif "conv1" in children and all(f"layer{index}" in children for index in range(1, 5)):
        stages = [f"layer{index}" for index in range(1, 5)]
    else:
        return None
    stem = nn.Sequential(*(children[name] for name in takewhile(lambda name: name != stages[0], children)))
    blocks = [block for name in stages for block in children[name].children()]
    if stages == ["blocks"]:
        blocks = [block for stage in blocks for block in stage.children()]
    return [stem, *blocks]


def _classifier_size(num_features: int, num_classes: int) -> int:
    return (num_features + 1) * num_classes


def _channels(network: nn.Module, parts: list[nn.Module], image_size: int) -> list[int]:
    """Channels that each part gives, or else the network, for images of a size."""
    found: list[int] = []
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: found.append(output.shape[1]))
        for part in parts or [network]
    ]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, image_size, image_size))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return found
