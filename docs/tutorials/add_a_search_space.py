"""A search space of your own: a value, searched like the six that are known by name.

python docs/tutorials/add_a_search_space.py
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

import darts

# Every edge of both cells offers the same primitives; darts.SearchSpace takes a tuple for each edge where they differ.
SPACE = darts.SearchSpace.uniform("skips-pools-convolutions", ("skip_connect", "max_pool_3x3", "sep_conv_3x3"))


def main() -> darts.Genotype:
    """Search it for a few steps and return the architecture."""
    torch.manual_seed(0)
    print(SPACE)
    net = darts.Supernet(SPACE, num_classes=2, channels=4, num_cells=3)
    print(f"{net.normal_alpha.shape[0]} edges with {net.normal_alpha.shape[1]} primitives each")
    weights = torch.optim.SGD(net.weight_parameters(), lr=0.025, momentum=0.9)
    alphas = torch.optim.Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999))
    for _ in range(3):
        batches = [(torch.randn(8, 3, 16, 16), torch.arange(8) % 2) for _ in range(2)]
        darts.search_step(net, F.cross_entropy, batches[0], batches[1], weights, alphas)
    genotype = darts.discretize(SPACE, net.normal_alpha, net.reduction_alpha)
    print(genotype)

    # For the command line, offer it from a package of your own (docs/plugins.md), and then:
    #     supernet-tl pretrain --space skips-pools-convolutions --source birds/ --zoo zoo/
    return genotype


if __name__ == "__main__":
    main()
