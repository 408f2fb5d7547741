"""Warm-start a supernet in a plain PyTorch loop: no Lightning, no command line, your own data loader.

python docs/tutorials/warm_start_in_pytorch.py
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

import darts
import supernet_tl


def images_of_three_classes(num: int, seed: int) -> tuple[Tensor, Tensor]:
    """Stand-ins for your own images: stripes that run in three directions, normalised, 32 pixels a side."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % 3
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    directions = torch.stack([rows, columns, (rows + columns) / 2])
    phases = 6 * torch.rand(num, 1, 1, generator=generator)
    waves = torch.sin(directions[labels] * 0.8 + phases)
    noise = 0.5 * torch.randn(num, 3, 32, 32, generator=generator)
    return waves[:, None] + noise, labels


def main(num_steps: int = 30) -> float:
    """Search for some steps, discretize, and return the final network's accuracy on other images."""
    torch.manual_seed(0)

    # 1. A pretrained supernet, and one of the same kind for three classes. All but the classifier is copied.
    source = supernet_tl.load_supernet("starter", "textures-s1-c8")
    net = source.like(num_classes=3)
    report = darts.warm_start(net, source.state_dict())
    print(f"{len(report.copied)} tensors copied, new: {', '.join(report.reinitialised)}")

    # 2. Two optimizers: one for the weights, one for the architecture. They never see each other's parameters.
    weights = torch.optim.SGD(net.weight_parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    alphas = torch.optim.Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)

    # 3. Every step takes two batches of different images: weights learn from one, the architecture from the other.
    for step in range(num_steps):
        found = darts.search_step(
            net,
            F.cross_entropy,
            images_of_three_classes(24, seed=2 * step),
            images_of_three_classes(24, seed=2 * step + 1),
            weights,
            alphas,
            perturb=lambda mixing: darts.perturb_random(mixing, radius=0.03),
        )
    print(f"loss of the last step: {float(found.weight_loss):.3f}")

    # 4. The discrete network keeps the surviving weights; statistics are its own.
    genotype = darts.discretize(net.space, net.normal_alpha, net.reduction_alpha)
    final = darts.DiscreteNetwork.from_supernet(net, genotype)
    darts.reestimate_batch_norm(final, [images_of_three_classes(48, seed=1000 + index)[0] for index in range(4)])
    images, labels = images_of_three_classes(96, seed=9999)
    with torch.no_grad():
        logits = final.eval()(images)
    assert isinstance(logits, Tensor)
    accuracy = float((logits.argmax(dim=1) == labels).float().mean())
    print(f"{genotype}\naccuracy {accuracy:.3f}, {darts.count_parameters(final):,} parameters")
    return accuracy


if __name__ == "__main__":
    main()
