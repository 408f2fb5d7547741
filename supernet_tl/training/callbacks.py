"""Lightning callbacks: the record of a run, its checkpoint, its pictures in TensorBoard, its progress on a terminal."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

import darts
from supernet_tl.errors import RunFolderError
from supernet_tl.terminal.console import StageProgress
from supernet_tl.training.guards import eigenvalue_of_epoch
from supernet_tl.training.history import EpochRow, finite_or_none
from supernet_tl.training.scores import score_names
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.stopping import reason_to_stop

_METRICS = (
    *("train_loss", "train_accuracy", "arch_loss", "validation_loss", "learning_rate"),
    *score_names("validation"),
)


class History(Callback):
    """Keeps a row per epoch, and in a search the architecture parameters before the first epoch and after each.

    The record is part of the checkpoint, so a resumed run goes on with it. Among the trainer's callbacks it comes after
    the rules that may end the stage early.

    Args:
        stage: name of the rows' stage.
        clock: gives seconds, from any beginning; the wall's when absent.
    """

    def __init__(self, stage: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.stage = stage
        self.clock = clock
        self.rows: list[EpochRow] = []
        self.normal_mixing: list[Tensor] = []
        self.reduction_mixing: list[Tensor] = []
        self.arch_parameters: list[list[Tensor]] = []
        self._started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the architecture parameters that the search begins with."""
        if not self.rows:
            self._note_mixing(pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = self.clock()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row."""
        seconds = (self.rows[-1].seconds if self.rows else 0.0) + self.clock() - self._started
        found: dict[str, Any] = {
            name: finite_or_none(float(trainer.callback_metrics[name]))
            for name in _METRICS
            if name in trainer.callback_metrics
        }
        row = EpochRow(self.stage, trainer.current_epoch + 1, seconds, **found, stopped=reason_to_stop(trainer))
        if isinstance(pl_module, SearchModule):
            self._note_mixing(pl_module)
            row = dataclasses.replace(
                row,
                radius=pl_module.radius if pl_module.perturbation != "none" else None,
                num_skip_connections=pl_module.genotype().count("skip_connect"),
                entropy=float(darts.mean_entropy(pl_module.supernet.mixing_weights().detach())),
                hessian_eigenvalue=eigenvalue_of_epoch(trainer),
            )
        self.rows.append(row)

    def mixing(self) -> dict[str, Tensor]:
        """Mixing weights over the search, shape (epochs + 1, num_edges, num_primitives) for each cell type."""
        return {"normal": torch.stack(self.normal_mixing), "reduction": torch.stack(self.reduction_mixing)}

    def state_dict(self) -> dict[str, Any]:
        """The record as a checkpoint keeps it."""
        return {
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "normal_mixing": self.normal_mixing,
            "reduction_mixing": self.reduction_mixing,
            "arch_parameters": self.arch_parameters,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the record of a checkpoint."""
        self.rows = [EpochRow(**row) for row in state_dict["rows"]]
        self.normal_mixing = list(state_dict["normal_mixing"])
        self.reduction_mixing = list(state_dict["reduction_mixing"])
        both = zip(self.normal_mixing, self.reduction_mixing, strict=True)
        alphas = [[_logits(mixing) for mixing in pair] for pair in both]
        self.arch_parameters = list(state_dict.get("arch_parameters", alphas))  # earlier versions did not keep them

    def _note_mixing(self, module: LightningModule) -> None:
        if isinstance(module, SearchModule):
            mixing = module.supernet.mixing_weights()
            self.normal_mixing.append(mixing.normal.detach().cpu().clone())
            self.reduction_mixing.append(mixing.reduction.detach().cpu().clone())
            parameters = module.supernet.arch_parameters()
            self.arch_parameters.append([parameter.detach().cpu().clone() for parameter in parameters])


def _logits(mixing: Tensor) -> Tensor:
    """Alphas that mix the ops so: the softmax tells them up to a constant in each row."""
    logits = mixing.clamp_min(torch.finfo(mixing.dtype).tiny).log()
    return logits - logits.mean(dim=-1, keepdim=True)


class EpochCheckpoint(Checkpoint):
    """Writes one checkpoint after each epoch, whole or not at all, over the one before.

    Args:
        path: the checkpoint's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last_model_path(self) -> str:
        """The file once it is written, by the name that Lightning's own callback has for it; empty before."""
        return str(self.path) if self.path.exists() else ""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save next to the old checkpoint, then take its place."""
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        try:
            trainer.save_checkpoint(temporary)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RunFolderError(
                f"the checkpoint {self.path} cannot be written: {error.strerror or error}. The one before it is kept; "
                "make room and repeat the command to continue."
            ) from error
        if trainer.is_global_zero:
            os.replace(temporary, self.path)


class SearchPictures(Callback):
    """Writes the search to TensorBoard: alpha heat maps, the genotype, skip connections and entropy."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write this epoch's pictures."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers or not isinstance(pl_module, SearchModule) or not trainer.is_global_zero:
            return
        genotype = pl_module.genotype()
        mixing = pl_module.supernet.mixing_weights().detach()
        for logger in loggers:
            writer, step = logger.experiment, trainer.fit_loop.total_batch_idx
            for cell, weights in zip(("normal", "reduction"), mixing, strict=True):
                writer.add_image(f"mixing_weights/{cell}", _heat_map(weights.cpu()), step, dataformats="HWC")
            writer.add_text("genotype", "\n\n".join(str(genotype).splitlines()), step)
            writer.add_scalar("num_skip_connections", genotype.count("skip_connect"), step)
            writer.add_scalar("entropy", float(darts.mean_entropy(mixing)), step)


def _heat_map(weights: Tensor, pixels: int = 16) -> Tensor:
    """Weights (edges, primitives) in [0, 1] as an RGB picture, an edge a row: uint8 (edges * pixels, …, 3)."""
    from matplotlib import colormaps

    colours = torch.from_numpy(colormaps["viridis"](weights.numpy())[..., :3] * 255).round().to(torch.uint8)
    return colours.repeat_interleave(pixels, dim=0).repeat_interleave(pixels, dim=1)


class ProgressReport(Callback):
    """Tells a terminal how far training is and how long it will take.

    Args:
        progress: where to tell it.
        history: gives the last epoch's accuracy.
    """

    def __init__(self, progress: StageProgress, history: History) -> None:
        self.progress = progress
        self.history = history

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the bar, at the epoch the run resumes from; without a number of epochs there is none, but lines."""
        if not _is_limited(trainer):
            return
        self.progress.start(int(trainer.num_training_batches) * (trainer.max_epochs or 1))
        self.progress.advance(int(trainer.num_training_batches) * trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step further."""
        self.progress.advance(1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the epoch's accuracy."""
        row = self.history.rows[-1]
        accuracy = "" if row.validation_accuracy is None else f"validation accuracy {row.validation_accuracy:.3f}"
        position = f"epoch {row.epoch}/{trainer.max_epochs}" if _is_limited(trainer) else f"epoch {row.epoch}"
        self.progress.note(position, accuracy)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        self.progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal clean when training is interrupted."""
        self.progress.stop()


def _is_limited(trainer: Trainer) -> bool:
    """Whether a number of epochs was asked for; -1 stands for none."""
    return trainer.max_epochs != -1
