"""The two arms of :mod:`benchmarks.search_step`: the plain twin's step and that of darts, on one state and batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD, Adam, Optimizer

import darts
from benchmarks.plain_search import Batch, Method, PlainSupernet, plain_step

ArmName = Literal["plain", "ours"]
RADIUS = 0.1
SEED = 0
TOLERANCE = {"fp32": 1e-3, "bf16": 1e-1}
"""How far losses of the two arms may be apart after a step, relative, by our arm's precision."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Sizes of a search.

    Attributes:
        space: name of the search space.
        channels: of the first cells.
        num_cells: cells stacked.
        batch_size: images in each of the two halves of a step.
        num_classes: outputs.
    """

    space: str
    channels: int
    num_cells: int
    batch_size: int
    num_classes: int


CASES = {
    "s1-large": Case("s1", 16, 8, 64, 10),
    "s5-large": Case("s5", 16, 8, 64, 10),
    "s1-small": Case("s1", 8, 5, 32, 5),
    "s5-small": Case("s5", 8, 5, 32, 5),
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all cases of a run share.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: of our arm, ``fp32`` or ``bf16`` (autocast); the plain arm is always fp32.
        image_size: height and width.
        stem: of both networks.
        warmup: untimed steps of each arm.
        steps: timed steps of each arm.
    """

    device: str = "cpu"
    precision: str = "fp32"
    image_size: int = 32
    stem: Literal["cifar", "imagenet"] = "cifar"
    warmup: int = 1
    steps: int = 5


Step = Callable[[], tuple[Tensor, Tensor]]
"""Takes one step; the losses of the architecture and of the weight batch."""


def _network(case: Case, setting: Setting) -> darts.Supernet:
    torch.manual_seed(SEED)
    options: dict[str, Any] = {} if setting.stem == "cifar" else {"stem": setting.stem}
    return darts.Supernet(darts.SPACES[case.space], case.num_classes, case.channels, case.num_cells, **options)


def _batches(case: Case, setting: Setting) -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(SEED)
    shape = (case.batch_size, 3, setting.image_size, setting.image_size)

    def draw() -> Batch:
        labels = torch.randint(case.num_classes, shape[:1], generator=generator)
        return torch.randn(shape, generator=generator).to(setting.device), labels.to(setting.device)

    return draw(), draw()


def _optimizers(net: darts.Supernet | PlainSupernet) -> tuple[Optimizer, Optimizer]:
    return (
        SGD(net.weight_parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4),
        Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3),
    )


def plain_arm(case: Case, method: Method, setting: Setting) -> Step:
    """The twin: NCHW, float32."""
    net = PlainSupernet(
        darts.SPACES[case.space], case.num_classes, case.channels, case.num_cells, stem=setting.stem
    ).to(setting.device)
    net.load_state_dict(_network(case, setting).state_dict())
    weight_optimizer, arch_optimizer = _optimizers(net)
    weight_batch, arch_batch = _batches(case, setting)
    generator = torch.Generator(setting.device).manual_seed(SEED)

    def step() -> tuple[Tensor, Tensor]:
        seen = plain_step(
            net,
            weight_batch,
            arch_batch,
            weight_optimizer,
            arch_optimizer,
            method=method,
            radius=RADIUS,
            generator=generator,
        )
        return seen.arch_loss, seen.weight_loss

    return step


def our_arm(case: Case, method: Method, setting: Setting) -> Step:
    """The public step of darts, channels_last, under autocast where bf16 is asked for."""
    net = _network(case, setting).to(setting.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    weight_optimizer, arch_optimizer = _optimizers(net)
    weight_batch, arch_batch = (
        (images.contiguous(memory_format=torch.channels_last), labels) for images, labels in _batches(case, setting)
    )
    generator = torch.Generator(setting.device).manual_seed(SEED)

    def perturb(mixing: darts.MixingWeights) -> darts.MixingWeights:
        if method == "random":
            return darts.perturb_random(mixing, RADIUS, generator)
        return darts.perturb_adversarial(net, mixing, *weight_batch, radius=RADIUS, generator=generator)

    def step() -> tuple[Tensor, Tensor]:
        with torch.autocast(setting.device, torch.bfloat16, enabled=setting.precision == "bf16"):
            seen = darts.search_step(
                net,
                F.cross_entropy,
                weight_batch,
                arch_batch,
                weight_optimizer,
                arch_optimizer,
                perturb=None if method == "plain" else perturb,
            )
        return seen.arch_loss, seen.weight_loss

    return step


ARMS: dict[ArmName, Callable[[Case, Method, Setting], Step]] = {"plain": plain_arm, "ours": our_arm}


def prepare() -> None:
    """Settings of the process: one thread, and cuDNN's own choice of kernels, as the reference's scripts have it."""
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True


def check_agreement(steps: dict[ArmName, Step], precision: str) -> None:
    """Take two steps of each arm, and refuse to time two arms that do not compute the same.

    The first step's losses tell whether both see the same network, the second's whether they moved it alike.

    Raises:
        SystemExit: a loss of ours is not within the tolerance of the plain arm's.
    """
    tolerance = TOLERANCE[precision]
    for number in ("first", "second"):
        for level, *losses in zip(("architecture", "weight"), steps["plain"](), steps["ours"](), strict=True):
            plain, ours = (loss.item() for loss in losses)
            if not abs(ours - plain) <= tolerance * abs(plain):
                raise SystemExit(
                    f"in the {number} step from the same state our {level} loss is {ours:.6g}, the plain one "
                    f"{plain:.6g}; expected a relative difference of at most {tolerance:g}. Run "
                    "tests/darts/test_plain_search.py, which shows where they part."
                )
