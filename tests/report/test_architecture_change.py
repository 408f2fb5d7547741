from __future__ import annotations

import darts
from supernet_tl.report.architecture_change import NodeChange, architecture_change

SOURCE = darts.Genotype(
    normal=(("skip_connect", 0), ("sep_conv_3x3", 1)) * 4,
    reduction=(("max_pool_3x3", 0), ("sep_conv_3x3", 1)) * 4,
)


def test_an_architecture_that_stayed_has_no_changed_node_whatever_the_order_of_its_edges() -> None:
    turned = darts.Genotype(normal=(("sep_conv_3x3", 1), ("skip_connect", 0)) * 4, reduction=SOURCE.reduction)
    change = architecture_change(SOURCE, turned)
    assert change is not None
    assert (change.num_edges, change.num_kept, change.nodes) == (16, 16, ())


def test_nodes_with_other_ops_or_other_states_are_told_with_both() -> None:
    found = darts.Genotype(
        normal=(*SOURCE.normal[:2], ("dil_conv_3x3", 0), ("sep_conv_3x3", 1), *SOURCE.normal[4:]),
        reduction=(*SOURCE.reduction[:6], ("max_pool_3x3", 0), ("sep_conv_3x3", 3)),
    )
    change = architecture_change(SOURCE, found)
    assert change is not None
    assert (change.num_edges, change.num_kept) == (16, 14)
    assert change.nodes == (
        NodeChange(
            "normal",
            1,
            ("skip_connect of c(k-2)", "sep_conv_3x3 of c(k-1)"),
            ("dil_conv_3x3 of c(k-2)", "sep_conv_3x3 of c(k-1)"),
        ),
        NodeChange(
            "reduction",
            3,
            ("max_pool_3x3 of c(k-2)", "sep_conv_3x3 of c(k-1)"),
            ("max_pool_3x3 of c(k-2)", "sep_conv_3x3 of node 1"),
        ),
    )


def test_architectures_of_other_numbers_of_nodes_are_not_compared() -> None:
    small = darts.Genotype(normal=SOURCE.normal[:4], reduction=SOURCE.reduction[:4])
    assert architecture_change(small, SOURCE) is None
