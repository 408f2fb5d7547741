from __future__ import annotations

from typing import Any

import pytest
import torch

import darts


def _net(
    num_classes: int,
    seed: int,
    space: darts.SearchSpace = darts.S1,
    num_cells: int = 3,
    stem: darts.Stem = "cifar",
    in_channels: int = 3,
) -> darts.Supernet:
    torch.manual_seed(seed)
    return darts.Supernet(space, num_classes, 4, num_cells, in_channels, stem=stem)


def test_weights_statistics_and_alphas_are_copied_and_the_classifier_is_not() -> None:
    source, target = _net(7, 0), _net(5, 1)
    source(torch.randn(4, 3, 8, 8))
    fresh = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    report = darts.warm_start(target, source.state_dict())
    assert report.reinitialised == ("classifier.weight", "classifier.bias")
    assert report.unused == ("classifier.bias", "classifier.weight")
    assert set(report.copied) | set(report.reinitialised) == set(target.state_dict())
    assert {"normal_alpha", "reduction_alpha", "stem.1.running_mean"} <= set(report.copied)
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, fresh[name] if name.startswith("classifier") else source.state_dict()[name])


def test_the_head_is_new_even_for_as_many_classes_unless_asked_for() -> None:
    source = _net(5, 0)
    for keep_head in (False, True):
        target = _net(5, 1)
        report = darts.warm_start(target, source.state_dict(), keep_head=keep_head)
        assert torch.equal(target.classifier.weight, source.classifier.weight) is keep_head
        assert bool(report.reinitialised) is not keep_head


def test_tensors_that_the_target_does_not_have_are_reported_as_unused() -> None:
    state = dict(_net(5, 0).state_dict()) | {"ema.decay": torch.tensor(0.9)}
    assert "ema.decay" in darts.warm_start(_net(5, 1), state).unused


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            _net(5, 0, darts.S2),
            "does not fit a supernet of space 's1' and family 'darts' with channels=4, num_cells=3, .* tensors missing",
        ),
        (_net(5, 0, num_cells=4), "of cells, ops or a stem that it does not have .cells.3"),
        (
            _net(5, 0, stem="imagenet"),
            "with .* stem='cifar' and in_channels=3: its stem is 'imagenet', .*stem.3.weight",
        ),
        (_net(5, 0, in_channels=1), r"in_channels=3: .*stem.0.weight is \(12, 1, 3, 3\), expected \(12, 3, 3, 3\)"),
    ],
)
def test_a_source_of_another_space_depth_stem_or_colour_is_refused_and_nothing_is_changed(
    source: darts.Supernet, sentence: str
) -> None:
    target = _net(5, 1)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(darts.WarmStartError, match=sentence):
        darts.warm_start(target, source.state_dict())
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_the_stem_is_named_whichever_side_has_which() -> None:
    with pytest.raises(darts.WarmStartError, match="stem='imagenet' and in_channels=3: its stem is 'cifar', "):
        darts.warm_start(_net(5, 1, stem="imagenet"), _net(5, 0).state_dict())


def test_a_warm_start_copies_the_imagenet_stem() -> None:
    source, target = _net(5, 0, stem="imagenet"), _net(7, 1, stem="imagenet")
    report = darts.warm_start(target, source.state_dict())
    assert {"stem.0.weight", "stem.3.weight", "stem.4.running_var"} <= set(report.copied)
    assert torch.equal(target.stem.state_dict()["3.weight"], source.stem.state_dict()["3.weight"])


ALPHAS = ("normal_alpha", "reduction_alpha")


@pytest.mark.parametrize(
    ("parts", "cells", "inherited"),
    [
        ("all", None, ("stem.", "cells.", *ALPHAS)),
        ("weights", None, ("stem.", "cells.")),
        ("architecture", None, ALPHAS),
        ("all", 3, ("stem.", "cells.", *ALPHAS)),
        ("all", 2, ("stem.", "cells.0.", "cells.1.", *ALPHAS)),
        ("all", 0, ("stem.", *ALPHAS)),
        ("weights", 1, ("stem.", "cells.0.")),
    ],
)
def test_only_the_parts_asked_for_are_inherited_and_the_report_tells_which(
    parts: darts.Parts, cells: int | None, inherited: tuple[str, ...]
) -> None:
    source, target = _net(7, 0), _net(5, 1)
    source(torch.randn(4, 3, 8, 8))
    fresh = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    report = darts.warm_start(target, source.state_dict(), parts=parts, cells=cells)
    expected = {name for name in fresh if name.startswith(inherited)}
    assert set(report.copied) == expected
    assert set(report.reinitialised) == set(fresh) - expected
    assert set(report.unused) == set(source.state_dict()) - expected
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name] if name in expected else fresh[name]), name


def test_the_tenth_cell_is_not_among_the_first_two() -> None:
    source, target = _net(5, 0, num_cells=11), _net(5, 1, num_cells=11)
    copied = darts.warm_start(target, source.state_dict(), cells=2).copied
    assert {name.split(".")[1] for name in copied if name.startswith("cells.")} == {"0", "1"}


def test_a_long_report_names_the_first_tensors_and_counts_the_others() -> None:
    source, target = _net(5, 0), _net(5, 1)
    report = darts.warm_start(target, source.state_dict(), parts="architecture")
    num_fresh = len(target.state_dict()) - 2
    assert str(report).startswith("2 tensors copied; re-initialised: stem.0.weight, stem.1.weight, ")
    assert f" and {num_fresh - 6} more; unused: " in str(report)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parts": "alphas"}, "parts is 'alphas'; expected one of 'all', 'weights', 'architecture'"),
        ({"cells": 4}, r"the weights of 4 first cells .* has 3; expected cells from 0 \(the stem alone\) to 3"),
        ({"cells": -1}, "the weights of -1 first cells"),
    ],
)
def test_parts_that_cannot_be_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(darts.WarmStartError, match=sentence):
        darts.warm_start(_net(5, 1), _net(5, 0).state_dict(), **options)


def test_alphas_alone_are_not_taken_from_a_source_of_another_space() -> None:
    with pytest.raises(darts.WarmStartError, match="does not fit a supernet of space 's1'"):
        darts.warm_start(_net(5, 1), _net(5, 0, darts.S2).state_dict(), parts="architecture")
