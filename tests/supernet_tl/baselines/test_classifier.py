from __future__ import annotations

import pytest
import timm
import torch

from supernet_tl.baselines.classifier import Renormalise
from supernet_tl.data import Normalisation


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18.tv_in1k"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_sees_images_normalised_as_timm_normalises_them(channels: int, name: str) -> None:
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    found = Normalisation((0.3, 0.6, 0.1)[:channels], (0.2, 0.05, 0.4)[:channels])
    pixels = torch.randint(0, 256, (2, channels, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    # Oracle: timm's own preprocessing after its ToTensor, (pixel / 255 - mean) / std, in double precision.
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (config.mean, config.std))
    expected = (pixels.double() / 255 - mean) / std
    seen = Renormalise(found, config.mean, config.std)(found(pixels))
    assert seen.shape == (2, 3, 8, 8)
    torch.testing.assert_close(seen, expected.float(), atol=1e-5, rtol=1e-5)
