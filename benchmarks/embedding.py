"""Images embedded per second: `python -m benchmarks.embedding --device cuda --precision bfloat16`.

Times `Embedder.embed` as it is used: hashing, resizing, the network, and keeping the features; then the same call
again, when all are known. Weights are random, which makes no difference to the speed, and images are noise of the
network's size. On a CPU one torch thread works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.machine import machine
from ot_select import Embedder
from ot_select.embedding.identity import Precision


@dataclass(frozen=True)
class Load:
    """What is embedded by what.

    Attributes:
        network: any that timm knows.
        image_size: pixels a side, of the images and for the network.
        batch_size: images at a time.
        num_images: in all, after a batch to warm up.
        device: ``cpu`` or ``cuda``.
        precision: that the network runs in.
    """

    network: str = "resnet18"
    image_size: int = 224
    batch_size: int = 64
    num_images: int = 256
    device: str = "cpu"
    precision: Precision = "float32"


@dataclass(frozen=True)
class Speed:
    """Images per second.

    Attributes:
        embedded: by the network.
        known: when all features were kept from before.
        peak_gpu_bytes: of the tensors on the GPU; None on a CPU.
    """

    embedded: float
    known: float
    peak_gpu_bytes: int | None


def measure(load: Load) -> Speed:
    """Embed noise with random weights, and embed it again."""
    generator = torch.Generator().manual_seed(0)
    shape = (load.batch_size + load.num_images, 3, load.image_size, load.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    with tempfile.TemporaryDirectory() as folder:
        embedder = Embedder(
            load.network,
            weights=_random_weights(load.network, Path(folder)),
            image_size=load.image_size,
            device=load.device,
            batch_size=load.batch_size,
            cache_dir=folder,
            precision=load.precision,
        )
        embedder.embed(images[: load.batch_size])
        if load.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        timed = images[load.batch_size :]
        embedded, known = (load.num_images / _seconds(lambda: embedder.embed(timed)) for _ in range(2))
    return Speed(embedded, known, torch.cuda.max_memory_allocated() if load.device == "cuda" else None)


def _random_weights(network: str, folder: Path) -> Path:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = folder / "weights.safetensors"
    save_file(timm.create_model(network, pretrained=False, num_classes=0).state_dict(), path)
    return path


def _seconds(work: Callable[[], torch.Tensor]) -> float:
    started = time.perf_counter()
    work()  # the features are on the CPU when it returns, so the GPU is done
    return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one load; print a line, and write JSON where asked."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default=Load.network, help="any that timm knows")
    parser.add_argument("--image-size", type=int, default=Load.image_size, help="pixels a side")
    parser.add_argument("--batch-size", type=int, default=Load.batch_size)
    parser.add_argument("--num-images", type=int, default=Load.num_images, help="timed ones")
    parser.add_argument("--device", choices=["cpu", "cuda"], default=Load.device)
    parser.add_argument("--precision", choices=get_args(Precision), default=Load.precision)
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = vars(parser.parse_args(arguments))
    path = options.pop("json")
    load = Load(**options)
    if load.num_images < 1:
        parser.error(f"--num-images {load.num_images}; expected at least 1.")
    torch.set_num_threads(1)
    speed = measure(load)
    print(
        f"{load.network} {load.image_size} px {load.precision} on {load.device}: {speed.embedded:.1f} images/s; "
        f"{speed.known:.0f} images/s when known"
    )
    if path is not None:
        report: dict[str, Any] = {"machine": machine(load.device)}
        path.write_text(json.dumps({**report, "load": asdict(load), "speed": asdict(speed)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
