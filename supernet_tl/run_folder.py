"""The folder of one run: what it is a run of, how far it got, and protection against overwriting."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from supernet_tl.errors import RunFolderError
from supernet_tl.files import read_json, write_json

SCHEMA = 1
_CARD = "run.json"
_LOCK = ".lock"
_ASIDE = ".replaced"


@dataclass(frozen=True)
class RunFolder:
    """A folder that this process may write a run to.

    Attributes:
        path: the folder.
        continued: whether an unfinished run of the same settings was found in it.
    """

    path: Path
    continued: bool

    def has(self, name: str) -> bool:
        """Whether a product of the run is there."""
        return (self.path / name).exists()

    def write_json(self, name: str, values: Any) -> None:
        """Write a product."""
        write_json(self.path / name, values)

    def read_json(self, name: str) -> Any:
        """Read a product.

        Raises:
            RunFolderError: it is damaged.
        """
        try:
            return read_json(self.path / name)
        except ValueError as error:
            raise RunFolderError(
                f"{self.path / name} is damaged ({error}), so the run cannot be continued; choose another --output, or "
                "delete the folder."
            ) from error

    def finish(self) -> None:
        """Mark the run as finished and drop the checkpoints that could have continued it."""
        write_json(self.path / _CARD, {**read_json(self.path / _CARD), "finished": True})
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)


@contextmanager
def run_folder(
    path: Path | None, verb: str, settings: dict[str, Any], *, overwrite: bool = False, replace_finished: bool = False
) -> Iterator[RunFolder]:
    """Open a folder for a run, and hold it until the end.

    A new or empty folder begins a run; an unfinished run of the same settings is continued; anything else is refused.

    Args:
        path: the folder; a temporary one, removed at the end, when absent.
        verb: what kind of run.
        settings: plain JSON values that make the run what it is.
        overwrite: remove another or a finished run that the folder holds and begin anew; an unfinished run of the same
            settings is continued all the same, and folders that hold no run stay protected.
        replace_finished: do so for a finished run of the same settings.

    Raises:
        RunFolderError: the folder is in use, holds another run, a finished one, or something else.
    """
    if path is None:
        with tempfile.TemporaryDirectory(prefix="supernet-tl-") as temporary:
            write_json(Path(temporary) / _CARD, _card(verb, settings))
            yield RunFolder(Path(temporary), continued=False)
        return
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path} is a file; the output of a run is a folder. Choose another --output.")
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunFolderError(f"{path} is in use by another process; wait for it or choose another --output.") from None
    try:
        _settle_replacement(path)
        continued = _claim(path, verb, settings, overwrite, replace_finished)
        try:
            yield RunFolder(path, continued)
        finally:
            _settle_replacement(path)
    finally:
        lock.release()


def refuse_finished(path: Path | None, *, overwrite: bool) -> None:
    """Refuse a folder with a finished run, as :func:`run_folder` does, before anything is read for another.

    Raises:
        RunFolderError: the folder holds one, and it is not to be overwritten.
    """
    if path is not None and not overwrite and is_finished(path):
        raise RunFolderError(_finished(path, read_json(path / _CARD).get("verb")))


def _finished(path: Path, verb: str) -> str:
    return (
        f"{path} holds a finished {verb}; nothing was changed. Choose another --output, or replace it with --overwrite."
    )


def is_finished(path: Path) -> bool:
    """Whether a folder holds a finished run."""
    try:
        return bool(read_json(path / _CARD).get("finished"))
    except (OSError, ValueError, AttributeError):
        return False


def _card(verb: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {"schema_version": SCHEMA, "verb": verb, "settings": settings, "finished": False}


def _claim(path: Path, verb: str, settings: dict[str, Any], overwrite: bool, replace_finished: bool) -> bool:
    others = _names(path)
    if others in ([], [_CARD]):  # new, or a run that ended before it left anything
        write_json(path / _CARD, _card(verb, settings))
        return False
    if _CARD not in others:
        raise RunFolderError(
            f"{path} is not empty and holds no run of supernet-tl (found {', '.join(others[:3])}"
            f"{', …' if len(others) > 3 else ''}); choose a new or empty folder as --output."
        )
    try:
        card = read_json(path / _CARD)
        found_verb, found, finished = card["verb"], _with_first_settings(card["settings"]), card["finished"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if overwrite:
            return _begin_anew(path, others, verb, settings)
        raise RunFolderError(
            f"{path / _CARD} cannot be read ({error}); choose another --output, or begin anew with --overwrite."
        ) from error
    wanted = _with_first_settings(settings)
    same = found_verb == verb and found == wanted
    if same and not finished:
        return True
    if overwrite or (finished and same and replace_finished):
        return _begin_anew(path, others, verb, settings)
    if finished:
        raise RunFolderError(_finished(path, found_verb))
    raise RunFolderError(
        f"{path} holds an unfinished {found_verb} with other settings "
        f"({_difference(found_verb, found, verb, wanted)}). Repeat the command with the settings it had to continue "
        "it, choose another --output, or replace it with --overwrite."
    )


def _with_first_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a run of any version: those that it did not have yet are what was done then."""
    recipe = settings.get("recipe")
    if not isinstance(recipe, dict):
        return settings
    from supernet_tl.evaluating.told_settings import FIRST_DEFAULTS

    return {**settings, "recipe": {**FIRST_DEFAULTS, **recipe}}


def _begin_anew(path: Path, names: list[str], verb: str, settings: dict[str, Any]) -> bool:
    """Put a run aside; it is deleted once the new one has left something, and put back should that never be.

    The old ``run.json`` goes last: where it lies tells an interrupted move from a finished one.
    """
    aside = path / _ASIDE
    aside.mkdir()
    for name in sorted(names, key=lambda name: name == _CARD):
        os.replace(path / name, aside / name)
    write_json(path / _CARD, _card(verb, settings))
    return False


def _settle_replacement(path: Path) -> None:
    """Delete the run that was put aside, or put it back where the new one has left nothing."""
    aside = path / _ASIDE
    if not aside.is_dir():
        return
    moved_whole = (aside / _CARD).exists()
    if moved_whole and [name for name in _names(path) if name != _CARD]:
        shutil.rmtree(aside)
        return
    for item in sorted(aside.iterdir(), key=lambda item: item.name == _CARD):
        os.replace(item, path / item.name)
    aside.rmdir()


def _names(path: Path) -> list[str]:
    """What the folder holds of a run, without locks and what was being written when a process died."""
    return sorted(
        item.name for item in path.iterdir() if item.name not in (_LOCK, _ASIDE) and not _is_temporary(item.name)
    )


def _is_temporary(name: str) -> bool:
    """Whether a name is of a file that was being written when its process died."""
    return name.startswith(".") and name.endswith(".tmp")


def _difference(found_verb: str, found: dict[str, Any], verb: str, settings: dict[str, Any]) -> str:
    if found_verb != verb:
        return f"it is a {found_verb}, this is a {verb}"
    flat_found, flat = _flat(found), _flat(settings)
    names = sorted(name for name in flat_found.keys() | flat.keys() if flat_found.get(name) != flat.get(name))
    return ", ".join(
        "the images, their classes or the splits that they define have changed since"
        if name == "target"
        else f"{name}: there {flat_found.get(name)!r}, here {flat.get(name)!r}"
        for name in names[:4]
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
