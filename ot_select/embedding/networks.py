"""Networks that timm knows, with pretrained weights and without their classifier."""

import difflib
from pathlib import Path
from typing import Any, cast

from torch import nn

from ot_select.embedding.lite0 import LITE0_NAME, lite0_file, read_lite0
from ot_select.embedding.weights import first_line, hub_file, load_state, read_state
from ot_select.errors import EmbedderError, WeightsError


def pretrained_network(name: str, weights: Path | None, image_size: int) -> tuple[nn.Module, dict[str, Any]]:
    """A timm network with its weights and without classifier, and timm's description of it (``mean``, ``std``, …).

    Args:
        name: any timm network, with or without tag.
        weights: a local file of weights; where they come from without one, see :class:`ot_select.Embedder`.
        image_size: side of the images that it is to see, in pixels.

    Raises:
        EmbedderError: timm knows no such network, or it takes images of another size only.
        WeightsNotFoundError: the weights are neither here nor to be had.
        WeightsError: the weights do not fit the network.
    """
    network, config = _empty_network(name, image_size)
    named = config.get("classifier") or ()
    classifier: tuple[str, ...] = (named,) if isinstance(named, str) else tuple(named)
    if weights is not None:
        load_state(network, read_state(weights), classifier, str(weights))
        return network, config
    bundled = lite0_file() if name == LITE0_NAME else None
    if bundled is not None:
        load_state(network, read_lite0(bundled), classifier, str(bundled))
        return network, config
    return _published_network(name, hub_file(name, config)), config


def _empty_network(name: str, image_size: int) -> tuple[nn.Module, dict[str, Any]]:
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture) or (tag and name not in timm.list_pretrained(f"{architecture}.*")):
        known = timm.list_models() + timm.list_pretrained()
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Close to it: {', '.join(close)}." if close else "timm.list_models() lists them all."
        raise EmbedderError(f"timm knows no network {name!r}. {hint}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    config = cast(dict[str, Any], network.pretrained_cfg)
    wanted = config["input_size"][-1]
    if config.get("fixed_input_size") and wanted != image_size:
        raise EmbedderError(
            f"The network {name!r} takes images of {wanted} pixels only, but image_size is {image_size}. "
            f"Give image_size={wanted}, or use a convolutional network."
        )
    return network, config


def _published_network(name: str, path: Path) -> nn.Module:
    """The network with the weights that timm publishes, through timm's own conversion, all of them or none."""
    import timm

    try:
        network: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
    except Exception as error:  # a damaged file can make its reader raise anything
        raise WeightsError(
            f"The published weights of {name!r} do not load ({first_line(error)}). "
            f"Delete {path} and fetch it again, or upgrade timm."
        ) from error
    network.reset_classifier(0)  # type: ignore[operator]  # timm's networks have it, nn.Module does not declare it
    return network
