"""Run one stage of training in a folder, from the beginning or from where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from supernet_tl.prepared_data import Loader
from supernet_tl.terminal.console import StageProgress, say
from supernet_tl.training.callbacks import EpochCheckpoint, History, ProgressReport, SearchPictures
from supernet_tl.training.classification_module import ClassificationModule
from supernet_tl.training.quiet import quiet_lightning
from supernet_tl.training.scores import Scores, score_names
from supernet_tl.training.seeds import own_random_numbers
from supernet_tl.training.stopping import StopRule


def run_stage(
    module: ClassificationModule,
    train_loader: Any,
    validation_loader: Loader,
    *,
    stage: str,
    num_epochs: int | None,
    folder: Path,
    device: str = "auto",
    gradient_clip: float | None = None,
    stop_rules: Sequence[StopRule] = (),
    title: str | None = None,
    quiet: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> History:
    """Train a module for a number of epochs, with a checkpoint after each, and go on from one that is there.

    Args:
        module: what is trained.
        train_loader: its training batches.
        validation_loader: evaluated after every epoch.
        stage: names rows, checkpoint and logs.
        num_epochs: of the whole stage; when absent, a stop rule ends it.
        folder: gets ``checkpoints/STAGE.ckpt`` and ``logs/STAGE/``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, ``mps``.
        gradient_clip: norm for modules with automatic optimization.
        stop_rules: may end the stage before its last epoch; the reason is in the record's last row.
        title: of the progress bar.
        quiet: show nothing.
        clock: gives the seconds of the record.

    Returns:
        The record of all epochs, those before an interruption included.

    Raises:
        KeyboardInterrupt: Ctrl-C; the checkpoint of the last whole epoch stays.
        DivergedError: a loss or the weights are not finite; the checkpoint of the last whole epoch stays.
    """
    checkpoint = folder / "checkpoints" / f"{stage}.ckpt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not _is_readable(checkpoint):
        say(f"{checkpoint} is damaged; beginning this stage again", quiet=quiet)
        checkpoint.unlink()
    history = History(stage, clock)
    bar = ProgressReport(StageProgress(title or stage, quiet=quiet), history)
    with quiet_lightning(), own_random_numbers():
        trainer = Trainer(
            max_epochs=-1 if num_epochs is None else num_epochs,
            logger=TensorBoardLogger(folder / "logs", name=stage, version=""),
            callbacks=[*stop_rules, history, EpochCheckpoint(checkpoint), SearchPictures(), bar],
            gradient_clip_val=gradient_clip,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            **trainer_device(device),
        )
        with _interruptible():
            trainer.fit(
                module,
                train_loader,
                validation_loader,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
    return history


def scores_on(module: ClassificationModule, loader: Loader, device: str) -> Scores:
    """Scores on the images of a loader; ops that draw noise draw it by the module's seed."""
    with quiet_lightning(), own_random_numbers(), _interruptible():
        torch.manual_seed(module.seed)
        trainer = Trainer(
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            **trainer_device(device),
        )
        (found,) = trainer.test(module, loader, verbose=False)
    return Scores(*(float(found[name]) for name in score_names("test")))


def _is_readable(checkpoint: Path) -> bool:
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception:  # whatever torch makes of damaged bytes; the stage is then begun again, and said to be
        return False
    return True


@contextmanager
def _interruptible() -> Iterator[None]:
    """Give Ctrl-C back to the caller: Lightning turns it into an exit of the whole process."""
    try:
        yield
    except SystemExit as interrupted:
        raise KeyboardInterrupt from interrupted


def trainer_device(device: str) -> dict[str, Any]:
    """A device name as the Trainer's arguments: always one device, however many the machine has."""
    kind, _, index = device.partition(":")
    return {"accelerator": kind, "devices": [int(index)] if index else 1}
