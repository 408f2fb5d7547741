"""How many images a second reach a network, ours against torchvision: `python -m benchmarks.input_pipeline`.

Both arms read one folder of JPEG files, made of the pocket album's photographs, and give shuffled batches of float32
images, shifted, mirrored and normalised. `torchvision` is ``ImageFolder`` with transforms of torchvision v2 and a
``DataLoader`` with worker processes that stay; `ours` opens the folder, keeps it decoded in a cache of its own, and
makes batches in the training process. The arms take turns, epoch by epoch, in one process; every raw time is kept and
medians are compared. Before anything is timed, the pixels that no random draw touches must be equal in both.

The first epoch of torchvision includes listing the folder and starting the workers; ours includes opening, checking,
decoding and writing the cache. `reopening` is what a later process of ours does before its first batch: it hashes the
files and the cache, and decodes nothing. Memory is that of a fresh process for each arm with its workers, after two
epochs: the proportional (PSS) and the unshared (USS) part, libraries included.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.cache import own_cache
from benchmarks.machine import machine
from supernet_tl.data import (
    Augmentation,
    ImageSet,
    ImageTensors,
    Normalisation,
    ShuffledSampler,
    augmented,
    loader,
    open_image_set,
    open_pocket,
    pixel_rows,
)
from supernet_tl.data.pixels.threads import num_processors

BATCH_SIZE = 64
NORMALISATION = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

Arm = Literal["torchvision", "ours"]
Epoch = Callable[[], int]
"""Make all batches of an epoch; give the number of images."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What is read.

    Attributes:
        file_size: pixels a side of the JPEG files.
        image_size: pixels a side that the network sees.
    """

    file_size: int
    image_size: int


CASES = (Case(128, 32), Case(128, 64), Case(128, 128), Case(256, 32), Case(256, 64), Case(256, 128))


@dataclasses.dataclass(frozen=True)
class Memory:
    """Of a process and its workers, in bytes.

    Attributes:
        pss: pages shared by several processes counted in parts.
        uss: pages that no other process has.
    """

    pss: int
    uss: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one arm took.

    Attributes:
        first_epoch_s: see the module.
        epochs_s: wall seconds of each later epoch.
        images_per_s: in the median of these.
        memory: None where it was not measured.
    """

    first_epoch_s: float
    epochs_s: list[float]
    images_per_s: float
    memory: Memory | None


@dataclasses.dataclass(frozen=True)
class Result:
    """One case.

    Attributes:
        case: what was read.
        num_images: in an epoch.
        torchvision: by the number of workers.
        ours: without workers.
        reopening_s: see the module.
        speedup: images per second of ours over those of the faster torchvision.
        load_average: of the machine in the end, over 1, 5 and 15 minutes.
    """

    case: Case
    num_images: int
    torchvision: dict[int, Cost]
    ours: Cost
    reopening_s: float
    speedup: float
    load_average: tuple[float, float, float]


def write_images(folder: Path, file_size: int, num_images: int) -> None:
    """JPEG files of quality 90 in class folders: the pocket album's photographs, again and again if need be."""
    photos = open_pocket("photos")
    rows = [row % len(photos) for row in range(num_images)]
    for number, (row, pixels) in enumerate(zip(rows, photos.pixels(file_size, rows), strict=True)):
        path = folder / photos.class_names[photos.labels[row]] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Copies of a photograph differ in their first pixel, so that none is decoded once for all.
        pixels[:, 0, 0] = torch.tensor([number % 256, number // 256 % 256, 0], dtype=torch.uint8)
        Image.fromarray(pixels.numpy().transpose(1, 2, 0)).save(path, quality=90)


def torchvision_epoch(folder: Path, size: int, workers: int) -> Epoch:
    """The usual way."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import InterpolationMode, v2

    transform = v2.Compose(
        [
            v2.Resize((size, size), InterpolationMode.BOX),
            v2.RandomCrop(size, padding=size // 8, padding_mode="edge"),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(NORMALISATION.mean, NORMALISATION.std),
        ]
    )
    batches: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        ImageFolder(str(folder), transform),
        BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: sum(len(images) for images, _ in batches)


def our_epoch(folder: Path, size: int) -> Epoch:
    """Ours, with what is in the cache."""
    data = ImageTensors.of(*_our_images(folder, size), NORMALISATION)
    sampler, generator = ShuffledSampler(len(data), seed=0), torch.Generator().manual_seed(0)
    batches = loader(data, sampler, BATCH_SIZE, drop_last=False)
    augmentation = Augmentation(size // 8, flip=True)
    epochs = iter(range(2**31))

    def epoch() -> int:
        sampler.set_epoch(next(epochs))
        num_images = 0
        for batch in batches:
            images, _ = augmented(batch, augmentation, generator)
            num_images += len(images)
        return num_images

    return epoch


def _our_images(folder: Path, size: int) -> tuple[Any, Any]:
    images: ImageSet = open_image_set(folder, image_size=size)
    return pixel_rows(images, size), images.labels


def check_agreement(folder: Path, size: int) -> None:
    """Without random draws both arms must give the same images, labels and normalised numbers."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import InterpolationMode, v2

    plain = v2.Compose([v2.Resize((size, size), InterpolationMode.BOX), v2.PILToTensor()])
    normalise = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(NORMALISATION.mean, NORMALISATION.std)])
    theirs = ImageFolder(str(folder), plain)
    pixels, labels = _our_images(folder, size)
    data = ImageTensors.of(pixels, labels, NORMALISATION)
    # Folders list their files in other orders ("10.jpg" before "2.jpg", or after): compare by content.
    places = {str(path): number for number, (path, _) in enumerate(theirs.samples)}
    order = [places[str(path)] for path in open_image_set(folder, image_size=size).store.paths]  # type: ignore[attr-defined]
    for row in range(0, len(data), max(1, len(data) // 100)):
        image, label = theirs[order[row]]
        ours, our_label = data[row]
        if not torch.equal(image, data.pixels.gather(torch.tensor([row]))[0]) or label != int(our_label):
            raise SystemExit(f"image {row} of {folder} differs between the arms at {size} pixels; nothing is timed.")
        if not torch.allclose(normalise(image), ours, rtol=0, atol=1e-6):  # theirs multiplies by 1 / 255
            raise SystemExit(f"image {row} of {folder} is normalised otherwise by the two arms; nothing is timed.")


def measure(case: Case, folder: Path, repeats: int, workers: Sequence[int], *, memory: bool) -> Result:
    """Time all arms in turn; the cache is empty in the beginning."""
    arms: dict[Arm | int, Epoch] = {}
    first: dict[Arm | int, float] = {}
    with tempfile.TemporaryDirectory() as cache, own_cache(Path(cache)):
        for number in workers:
            first[number], arms[number] = _first_epoch(lambda: torchvision_epoch(folder, case.image_size, number))  # noqa: B023
        first["ours"], arms["ours"] = _first_epoch(lambda: our_epoch(folder, case.image_size))
        check_agreement(folder, case.image_size)
        reopening_s = _in_fresh_process(_reopen, folder, case.image_size)
        epochs: dict[Arm | int, list[float]] = {name: [] for name in arms}
        num_images = 0
        for _ in range(repeats):
            for name, epoch in arms.items():
                start = time.perf_counter()
                num_images = epoch()
                epochs[name].append(time.perf_counter() - start)
        peaks = {
            name: _in_fresh_process(_memory_of, name, folder, case.image_size) if memory else None for name in arms
        }
    costs = {
        name: Cost(first[name], times, num_images / statistics.median(times), peaks[name])
        for name, times in epochs.items()
    }
    ours = costs.pop("ours")
    return Result(
        case,
        num_images,
        {int(name): cost for name, cost in costs.items()},
        ours,
        reopening_s,
        ours.images_per_s / max(cost.images_per_s for cost in costs.values()),
        os.getloadavg(),
    )


def _first_epoch(make: Callable[[], Epoch]) -> tuple[float, Epoch]:
    start = time.perf_counter()
    epoch = make()
    epoch()
    return time.perf_counter() - start, epoch


def _reopen(folder: Path, size: int) -> float:
    start = time.perf_counter()
    _our_images(folder, size)
    return time.perf_counter() - start


def _memory_of(name: Arm | int, folder: Path, size: int) -> Memory | None:
    epoch = our_epoch(folder, size) if name == "ours" else torchvision_epoch(folder, size, int(name))
    for _ in range(2):
        epoch()
    processes = ["self", *(str(child.pid) for child in multiprocessing.active_children())]
    rollups = [Path(f"/proc/{process}/smaps_rollup") for process in processes]
    if not all(rollup.exists() for rollup in rollups):
        return None
    texts = [rollup.read_text() for rollup in rollups]
    return Memory(*(sum(_bytes(text, field) for text in texts) for field in ("Pss", "Private_(?:Clean|Dirty)")))


def _bytes(rollup: str, field: str) -> int:
    return 1024 * sum(map(int, re.findall(rf"^{field}:\s+(\d+) kB$", rollup, re.MULTILINE)))


def _in_fresh_process(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(work, *arguments).result()


HEADER = (
    f"{'':>13} {'images/s':^31} {'first epoch, s':^17} {'reopen':>7} {'PSS, MiB':^17}\n"
    f"{'file':>5} {'image':>6}  {'torchvision':>12} {'ours':>9} {'ratio':>7}  "
    f"{'theirs':>8} {'ours':>8} {'ours':>7} {'theirs':>8} {'ours':>8}"
)


def row(result: Result) -> str:
    """One line of the table: torchvision with the number of workers that was fastest."""
    theirs = max(result.torchvision.values(), key=lambda cost: cost.images_per_s)
    memory = ["-" if cost.memory is None else f"{cost.memory.pss / 2**20:.0f}" for cost in (theirs, result.ours)]
    return (
        f"{result.case.file_size:5} {result.case.image_size:6}  {theirs.images_per_s:12.0f} "
        f"{result.ours.images_per_s:9.0f} {result.speedup:7.1f}  {theirs.first_epoch_s:8.2f} "
        f"{result.ours.first_epoch_s:8.2f} {result.reopening_s:7.2f} {memory[0]:>8} {memory[1]:>8}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cases asked for; print a table, and write JSON where asked."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000, help="JPEG files of each size")
    parser.add_argument("--file-sizes", type=int, nargs="+", default=[128, 256], help="pixels a side of the files")
    parser.add_argument("--image-sizes", type=int, nargs="+", default=[32, 64, 128], help="that the network sees")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of torchvision's loader")
    parser.add_argument("--repeats", type=int, default=5, help="timed epochs of each arm after its first")
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure memory")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args(arguments)
    if options.images < 100 or options.repeats < 1:
        parser.error(f"--images {options.images} --repeats {options.repeats}; expected at least 100 and 1.")

    print(HEADER)
    setting = {"num_images": options.images, "batch_size": BATCH_SIZE, "processors": num_processors()}
    report: dict[str, Any] = {"machine": machine("cpu"), "setting": setting, "results": []}
    with tempfile.TemporaryDirectory() as root:
        for file_size in options.file_sizes:
            folder = Path(root) / str(file_size)
            write_images(folder, file_size, options.images)
            for image_size in options.image_sizes:
                case = Case(file_size, image_size)
                result = measure(case, folder, options.repeats, options.workers, memory=not options.no_memory)
                print(row(result), flush=True)
                report["results"].append(dataclasses.asdict(result))
                if options.json:
                    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
