from __future__ import annotations

import pytest
import torch

import darts
from darts.arch_shapes import check_mixing


@pytest.mark.parametrize(
    ("normal", "reduction", "sentence"),
    [
        (
            (14, 7),
            (14, 2),
            r"mixing.normal has shape \(14, 7\), that of 's5'; space 's1' needs \(14, 2\): give what mixing_w",
        ),
        ((14, 2), (14, 8), r"mixing.reduction has shape \(14, 8\), that of 'darts'; space 's1' needs \(14, 2\)"),
        ((9, 2), (9, 2), r"mixing.normal has shape \(9, 2\); space 's1' needs \(14, 2\)"),
        ((28,), (28,), r"mixing.normal has shape \(28,\); space 's1' needs \(14, 2\)"),
    ],
)
def test_mixing_weights_of_another_space_are_refused(
    normal: tuple[int, ...], reduction: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(darts.ShapeError, match=sentence):
        check_mixing(darts.S1, (torch.ones(normal), torch.ones(reduction)))


def test_mixing_weights_of_the_space_pass(space: darts.SearchSpace) -> None:
    check_mixing(space, darts.Supernet(space, num_classes=3, channels=2, num_cells=3).mixing_weights())
