"""Checkpoints: where a run keeps its own, whether one can be read, and whether it belongs to what goes on with it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from supernet_tl.errors import CheckpointError

ORIGIN = "origin"
"""Key of a checkpoint's record of what it was made with."""


def last_checkpoint(root: Path) -> Path:
    """The checkpoint of the last whole epoch of a plain Lightning run in a folder."""
    return root / "checkpoints" / "last.ckpt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint of this project; its tensors on the CPU.

    Raises:
        CheckpointError: there is no such file, its bytes are damaged, or it is no checkpoint of this project.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint {path}; a run leaves checkpoints/last.ckpt in its --trainer.default_root_dir "
            "after every epoch. Give the folder or the file of the run to go on with, or begin one without --ckpt_path."
        )
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not compare checksums; this does
            damaged = archive.testzip()
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever zipfile and torch make of damaged bytes
        raise _damaged(path, str(error).partition("\n")[0]) from error
    if damaged:
        raise _damaged(path, f"{damaged} has other bytes than were written")
    if not isinstance(content, dict) or ORIGIN not in content:
        raise _foreign(path)
    return content


def require_same_origin(
    checkpoint: Mapping[str, Any], expected: Mapping[str, Any], path: str | os.PathLike[str] | None = None
) -> None:
    """Refuse a checkpoint that was made with something else.

    Args:
        checkpoint: its content.
        expected: plain values by name: what goes on with it is made with these; None where a checkpoint need not know
            the name.
        path: of its file, to be named.

    Raises:
        CheckpointError: a value differs, or none was recorded.
    """
    if not isinstance(checkpoint.get(ORIGIN), Mapping):
        raise _foreign(path)
    found = checkpoint[ORIGIN]
    others = [name for name in expected if found.get(name) != expected[name]]
    if others:
        there = ", ".join(f"{name}={found[name]!r}" if name in found else f"no {name}" for name in others)
        here = ", ".join(f"{name}={expected[name]!r}" for name in others)
        raise CheckpointError(
            f"{_named(path)} was made with {there}; this run has {here}. Go on with the images and settings that it "
            "was made with, or begin a new run in another folder."
        )


def _named(path: str | os.PathLike[str] | None) -> str:
    return "the checkpoint" if path is None else f"the checkpoint {os.fspath(path)}"


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{_named(path)} is damaged ({reason}); expected the whole file that a run wrote. Go on from another copy, or "
        "begin a new run in another folder."
    )


def _foreign(path: str | os.PathLike[str] | None) -> CheckpointError:
    return CheckpointError(
        f"{_named(path)} does not say what it was made with; expected one that this version of supernet-tl wrote. Go "
        "on from another, or begin a new run in another folder (--model.init_from begins from a zoo entry)."
    )
