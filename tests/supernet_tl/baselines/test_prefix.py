from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from ot_select.embedding.lite0 import lite0_file, read_lite0
from supernet_tl.baselines.prefix import features_within, stem_and_blocks
from supernet_tl.errors import BaselineError

SIZE = 32


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=0)
    return network.eval()


def _lite0() -> nn.Module:
    """The oracle: timm's own network under the pretrained weights, loaded by torch."""
    network: nn.Module = timm.create_model("tf_efficientnet_lite0")
    file = lite0_file()
    assert file is not None
    network.load_state_dict(read_lite0(file))
    return network.eval()


def _parameters_up_to(network: nn.Module, num_blocks: int) -> int:
    """Oracle: names of timm's EfficientNets, ``blocks.STAGE.BLOCK``, counted here."""
    names = list(dict.fromkeys(tuple(name.split(".")[1:3]) for name in network.state_dict() if "blocks." in name))
    kept = tuple(f"blocks.{stage}.{block}." for stage, block in names[:num_blocks])
    return sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if name.startswith(("conv_stem.", "bn1.", *kept))
    )


@pytest.mark.parametrize("num_blocks", [0, 1, 11])
def test_a_beginning_gives_the_hidden_activation_of_the_whole_pretrained_network(num_blocks: int) -> None:
    whole, shortened = _lite0(), _lite0()
    shortened.reset_classifier(0)  # type: ignore[operator]
    parts = stem_and_blocks(shortened)
    assert parts is not None
    limit = _parameters_up_to(whole, num_blocks)
    found = features_within(shortened, "lite0", 0, SIZE, limit)
    assert (found.num_blocks, found.num_blocks_of, found.whole) == (num_blocks, 16, False)
    hidden: list[Tensor] = []
    blocks = [block for stage in whole.blocks for block in stage]  # type: ignore[union-attr]
    (blocks[num_blocks - 1] if num_blocks else whole.bn1).register_forward_hook(  # type: ignore[union-attr]
        lambda module, inputs, output: hidden.append(output.clone())
    )
    images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = found.net.eval()(images)
        whole(images)
    assert torch.equal(features, hidden[0].mean(dim=(2, 3), keepdim=True).flatten(1))
    assert features.shape[1] == found.num_features


@pytest.mark.parametrize("num_classes", [10, 300])
@pytest.mark.parametrize("limit", [20_000, 400_000, 3_000_000])
def test_the_limit_is_kept_and_a_longer_beginning_would_exceed_it(limit: int, num_classes: int) -> None:
    network = _network("tf_efficientnet_lite0")
    found = features_within(network, "lite0", num_classes, SIZE, limit)
    widths = [32, 16, *[24] * 2, *[40] * 2, *[80] * 3, *[112] * 3, *[192] * 4, 320]  # of the published network
    sizes = [_parameters_up_to(network, blocks) + (widths[blocks] + 1) * num_classes for blocks in range(17)]
    kept = found.num_blocks
    assert kept is not None
    assert sizes[kept] == sum(map(torch.Tensor.numel, found.net.parameters())) + (widths[kept] + 1) * num_classes
    assert sizes[kept] <= limit
    assert all(size > limit for size in sizes[kept + 1 :])


@pytest.mark.parametrize(
    ("name", "num_blocks"), [("resnet10t", 4), ("mobilenetv3_small_050", 12), ("ghostnet_050", 17)]
)
def test_other_families_are_walked_as_their_own_forward_does(name: str, num_blocks: int) -> None:
    network = _network(name)
    parts = stem_and_blocks(network)
    assert parts is not None
    assert len(parts) - 1 == num_blocks
    images = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(nn.Sequential(*parts)(images), network.forward_features(images))  # type: ignore[operator]


def test_a_network_that_fits_is_left_whole_and_in_the_mode_that_it_had() -> None:
    network = _network("tf_efficientnet_lite0").train()
    for limit in (None, 3_383_818):  # of timm's network with 10 classes
        found = features_within(network, "lite0", 10, SIZE, limit)
        assert found.net is network
        assert (found.num_features, found.num_blocks, found.num_blocks_of, found.whole) == (1280, 16, 16, True)
        assert all(module.training for module in network.modules())
    assert not features_within(network, "lite0", 10, SIZE, 3_383_817).whole


def test_a_limit_below_the_stem_is_refused() -> None:
    # Oracle: 32 filters of 3 x 3 x 3, scale and shift of each, and 10 classes of 32 weights and a bias.
    with pytest.raises(BaselineError, match=r"the stem of lite0 has 1258 parameters .* 10 classes, and .* is 1257;"):
        features_within(_network("tf_efficientnet_lite0"), "lite0", 10, SIZE, 1257)


def test_other_families_are_taken_whole_or_refused() -> None:
    network = _network("regnetx_002")
    found = features_within(network, "regnetx_002", 10, SIZE, None)
    assert (found.num_blocks, found.num_blocks_of, found.whole) == (None, None, True)
    with pytest.raises(BaselineError, match=r"regnetx_002 has \d+ parameters .* \(EfficientNets, .*\) or conv1 and"):
        features_within(network, "regnetx_002", 10, SIZE, 1000)
