"""Weights of embedding networks: where they are found, how they are loaded, what identifies them."""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ot_select.embedding.lite0 import LITE0_NAME, LITE0_PACKAGE
from ot_select.errors import WeightsError, WeightsNotFoundError

_HUB_FILENAMES = ("model.safetensors", "pytorch_model.bin")
_PROBE_SECONDS = 5.0
_COUNTER = "num_batches_tracked"  # bookkeeping of batch normalisation: some files lack it, no output depends on it


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in a ``.safetensors`` file, or in a PyTorch file read without running pickled code.

    Raises:
        WeightsNotFoundError: there is no such file.
        WeightsError: the file cannot be read as weights.
    """
    if not path.is_file():
        raise WeightsNotFoundError(f"There is no weights file {path}. Check the path.")
    from timm.models import load_state_dict

    try:
        state: dict[str, torch.Tensor] = load_state_dict(str(path), use_ema=False, weights_only=True)
    except Exception as error:  # what is no weights file can make its reader raise anything
        raise WeightsError(
            f"{path} cannot be read as weights ({first_line(error)}). "
            "Give a .safetensors file, or a .pth, .pt or .bin file that holds tensors only."
        ) from error
    return state


def load_state(network: nn.Module, state: Mapping[str, torch.Tensor], classifier: tuple[str, ...], origin: str) -> None:
    """Load weights into a network without classifier; every tensor must have its place and every place its tensor.

    Args:
        network: built without classifier.
        state: tensors by name; those of the classifier are left out.
        classifier: names of the classifier's modules.
        origin: where the weights come from, for the error.

    Raises:
        WeightsError: names or shapes differ; they are listed.
    """
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(tuple(f"{c}." for c in classifier))}
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in kept and not name.endswith(_COUNTER)]
    unexpected = [name for name in kept if name not in wanted]
    misfits = [
        f"{name} {tuple(tensor.shape)} instead of {tuple(wanted[name].shape)}"
        for name, tensor in kept.items()
        if name in wanted and tensor.shape != wanted[name].shape
    ]
    faults = [("missing", missing), ("unexpected", unexpected), ("of another shape", misfits)]
    if any(names for _, names in faults):
        listed = "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in faults if names)
        raise WeightsError(
            f"The weights from {origin} do not fit the network {type(network).__name__}: {listed}. "
            "Name the network that they belong to, as NAME@FILE."
        )
    network.load_state_dict(kept, strict=False)


def weights_sha256(network: nn.Module) -> str:
    """SHA-256 over name, dtype, shape and bytes of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if name.endswith(_COUNTER):
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def hub_file(name: str, config: Mapping[str, Any]) -> Path:
    """The weights file that timm publishes for a network: from the local cache, else downloaded.

    Args:
        name: of the network, for the error.
        config: timm's ``pretrained_cfg``.

    Raises:
        WeightsNotFoundError: it is neither here nor to be had; quickly, and with the ways to get it.
    """
    repository = config.get("hf_hub_id")
    if not repository:
        raise WeightsNotFoundError(
            f"timm publishes no weights for {name!r}. Give a file with weights=FILE (--embedder {name}@FILE), "
            f"or use another network. {_offline_way()}"
        )
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    if (cached := cached_hub_file(repository)) is not None:
        return cached
    if constants.HF_HUB_OFFLINE:
        raise _not_found(name, repository, "HF_HUB_OFFLINE is set")
    reason = "the hub holds none of " + ", ".join(_HUB_FILENAMES)
    # The hub's own client tries again for most of a minute when there is no network: ask once first.
    unreachable = _why_unreachable(constants.ENDPOINT)
    if unreachable is not None:
        raise _not_found(name, repository, unreachable)
    for filename in _HUB_FILENAMES:
        try:
            return Path(hf_hub_download(repository, filename))
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError) as error:
            reason = first_line(error)
            break
    raise _not_found(name, repository, reason)


def cached_hub_file(repository: str) -> Path | None:
    """The weights file of a repository of the Hugging Face Hub, where it is in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    for filename in _HUB_FILENAMES:
        cached = try_to_load_from_cache(repository, filename)
        if isinstance(cached, str):
            return Path(cached)
    return None


def first_line(error: Exception) -> str:
    """Kind and first line of an error whose full text would drown the sentence it is quoted in."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _why_unreachable(url: str) -> str | None:
    """Why a host does not answer, or ``None`` if it does, be it with an error."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except OSError as error:
        return f"{url.split('/')[2]} cannot be reached: {getattr(error, 'reason', error)}"


def _not_found(name: str, repository: str, reason: str) -> WeightsNotFoundError:
    return WeightsNotFoundError(
        f"The weights of {name!r} are not on this machine and could not be fetched ({reason}). Any of these helps: "
        f"run once with network access; where there is network run 'hf download {repository}' "
        f"(formerly 'huggingface-cli download {repository}') and copy its cache; "
        f"give a file with weights=FILE (--embedder {name}@FILE). {_offline_way()}"
    )


def _offline_way() -> str:
    return f"Without any network: --embedder {LITE0_NAME}, whose weights came with the package {LITE0_PACKAGE}."


def _some(names: list[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
