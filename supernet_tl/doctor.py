"""What this machine and this installation can do, and what stands in the way."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from packaging.requirements import Requirement

from ot_select.embedding.lite0 import lite0_file
from ot_select.embedding.weights import cached_hub_file
from supernet_tl.memory import search_bytes
from supernet_tl.recipe import Recipe
from supernet_tl.shipped_recipes import composed_settings, shipped_recipes
from supernet_tl.terminal.output import size_in_words
from zoo_store.environment import cache_root, is_offline

Status = Literal["good", "note", "problem"]

_EXTRAS = {
    "demo": "the pocket album",
    "s3": "zoos on S3",
    "ray": "evaluations on a Ray cluster",
    "onnx": "exports to ONNX",
}
_NAMED = ("torch", "torchvision", "lightning", "timm", "pot", "numpy")
_DEFAULT_EMBEDDER = Recipe().embedder
_LITTLE_DISK = 5 * 10**9
_SHARE = 0.9
"""Of a device's memory: the rest is for libraries' workspaces."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what.
        status: ``note`` where something is missing that not everybody needs.
        sentence: what was found, and what to do.
        facts: the same as plain JSON values.
    """

    about: str
    status: Status
    sentence: str
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look at packages, devices, weights, caches and recipes; nothing is downloaded."""
    return [
        _python(),
        *_packages(),
        _extras(),
        _processor(),
        *_gpus(),
        *_embedders(),
        _caches(),
        _network(),
        *_recipes(),
    ]


def _python() -> Finding:
    facts = {"python": platform.python_version(), "system": platform.platform(), "executable": sys.executable}
    version = _version("supernet-tl")
    if version is None:
        sentence = "supernet-tl is imported from a folder and not installed; pip install -e . in its checkout"
        return Finding("supernet-tl", "problem", sentence, facts)
    return Finding("supernet-tl", "good", f"{version} on Python {facts['python']}, {facts['system']}", facts)


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(text) for text in metadata.requires("supernet-tl") or ()]
    except metadata.PackageNotFoundError:
        return []


def _packages() -> Iterator[Finding]:
    """The packages that are needed always, against the ranges that this version was made for."""
    requirements = _requirements()
    found: dict[str, str] = {}
    for needed in requirements:
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        version = _version(needed.name)
        if version is None:
            yield Finding("packages", "problem", f"{needed.name} is missing; pip install '{needed}'", {})
        elif not needed.specifier.contains(version, prereleases=True):
            sentence = f"{needed.name} is {version}, and {needed.specifier} is needed; pip install '{needed}'"
            yield Finding("packages", "problem", sentence, {needed.name: version})
        else:
            found[needed.name] = version
    told = [f"{name} {version}" for name, version in found.items() if name.lower() in _NAMED]
    yield Finding("packages", "good", f"{', '.join(told)}, and {len(found) - len(told)} more as needed", found)


def _extras() -> Finding:
    """The extras, by whether all that they name is installed."""
    requirements = _requirements()
    missing = {
        extra: sorted(
            needed.name
            for needed in requirements
            if needed.marker is not None
            and needed.marker.evaluate({"extra": extra})
            and not needed.marker.evaluate({"extra": ""})
            and _version(needed.name) is None
        )
        for extra in _EXTRAS
    }
    there = [f"{extra} ({what})" for extra, what in _EXTRAS.items() if not missing[extra]]
    absent = [f"{extra} ({what})" for extra, what in _EXTRAS.items() if missing[extra]]
    sentence = f"installed: {', '.join(there) or 'none'}"
    if absent:
        sentence += f"; not installed: {', '.join(absent)}: pip install 'supernet-tl[NAME]'"
    return Finding("extras", "note" if absent else "good", sentence, {"missing": missing})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = _memory()
    facts = {"cores": cores, "threads": torch.get_num_threads(), "memory_bytes": memory}
    told = "" if memory is None else f", {size_in_words(memory)} of memory"
    vectors = torch.backends.cpu.get_cpu_capability()
    return Finding(
        "processor", "good", f"{cores} cores{told}, {vectors}, PyTorch uses {facts['threads']} threads", facts
    )


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # systems that do not tell
        return None


def _gpus() -> Iterator[Finding]:
    if not torch.cuda.is_available():
        if torch.backends.mps.is_available():
            yield Finding("GPU", "good", "Apple's (mps); numbers of a run differ in their last digits from a CPU's", {})
        elif shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
            yield Finding(
                "GPU",
                "problem",
                f"this machine has an NVIDIA driver, and PyTorch {torch.__version__} sees no GPU; install a PyTorch "
                "built for the driver's CUDA version, and see whether nvidia-smi itself works",
                {"torch": torch.__version__},
            )
        else:
            yield Finding("GPU", "note", "none; everything runs on the CPU, and small images and networks fit it", {})
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        with torch.cuda.device(index):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        facts = {
            "index": index,
            "name": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "free_bytes": free,
            "total_bytes": total,
            "bfloat16": bf16,
        }
        sentence = (
            f"cuda:{index} is a {properties.name}, {size_in_words(total)} of memory, {size_in_words(free)} of it free, "
            f"compute capability {facts['capability']}, bfloat16 {'yes' if bf16 else 'no'}"
        )
        yield Finding("GPU", "good", sentence, facts)


def _embedders() -> Iterator[Finding]:
    file = lite0_file()
    if file is None:
        sentence = "the weights of tf_efficientnet_lite0 are missing; reinstall supernet-tl"
        yield Finding("embedder", "problem", sentence, {})
    else:
        sentence = "tf_efficientnet_lite0 is here, the embedder of the starter zoo"
        yield Finding("embedder", "good", sentence, {"tf_efficientnet_lite0": str(file)})
    import timm

    config = timm.get_pretrained_cfg(_DEFAULT_EMBEDDER)
    cached = None if config is None or config.hf_hub_id is None else cached_hub_file(config.hf_hub_id)
    facts = {_DEFAULT_EMBEDDER: None if cached is None else str(cached)}
    if cached is not None:
        yield Finding("embedder", "good", f"{_DEFAULT_EMBEDDER} is here, the default", facts)
        return
    yield Finding(
        "embedder",
        "note",
        f"{_DEFAULT_EMBEDDER}, the default, is not here; it is downloaded from the Hugging Face Hub when it is needed "
        "first. Without a network: --embedder tf_efficientnet_lite0, or NAME@FILE",
        facts,
    )


def _caches() -> Finding:
    root = cache_root()
    parts = {name: _size(root / name) for name in ("embeddings", "pixels", "datasets", "zoos")}
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    facts = {"path": str(root), "bytes": parts, "free_bytes": free}
    told = ", ".join(f"{name} {size_in_words(size)}" for name, size in parts.items())
    sentence = f"{root}: {told}; {size_in_words(free)} free on that disk"
    if not os.access(existing, os.W_OK):
        return Finding(
            "caches", "problem", f"{sentence}; it cannot be written to: set SUPERNET_TL_CACHE to a folder", facts
        )
    if free < _LITTLE_DISK:
        return Finding(
            "caches", "note", f"{sentence}, which is little: `supernet-tl data rm` and `zoo gc` free some", facts
        )
    return Finding("caches", "good", sentence, facts)


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, at any depth."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(place, file)).st_size
            except OSError:  # gone by now
                continue
    return total


def _network() -> Finding:
    offline = is_offline()
    sentence = "SUPERNET_TL_OFFLINE is set: no network is asked" if offline else "is asked when something is not here"
    return Finding("network", "good", sentence, {"offline": offline})


def _recipes() -> Iterator[Finding]:
    """The recipes for kinds of machines, by whether a search with them fits this one."""
    memory, where = _largest_device()
    for recipe in shipped_recipes().values():
        if not recipe.name.startswith("hardware/"):
            continue
        needed = search_bytes(Recipe.from_options(composed_settings(recipe.name)))
        on_gpu = "cpu" not in recipe.name
        fits = memory is not None and needed <= _SHARE * memory and (where != "the CPU" or not on_gpu)
        facts = {"recipe": recipe.name, "estimated_bytes": needed, "fits": fits}
        verdict = f"fits {where}" if fits else f"does not fit {where}"
        if on_gpu and where == "the CPU":
            verdict = "is for a GPU"
        sentence = f"{recipe.name} {verdict}: a search step takes about {size_in_words(needed)} (estimated)"
        yield Finding("recipe", "good" if fits else "note", sentence, facts)


def _largest_device() -> tuple[int | None, str]:
    """Memory of the largest GPU, or of the machine."""
    if not torch.cuda.is_available():
        return _memory(), "the CPU"
    sizes = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    return max(sizes), f"cuda:{sizes.index(max(sizes))}"
