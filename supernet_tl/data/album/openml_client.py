"""What OpenML says about a dataset: the one place that uses the openml package."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from supernet_tl.data.album import openml_process
from supernet_tl.data.album.link import Link, Notify, PassingError, persistently
from supernet_tl.data.errors import DownloadError

_START = 120.0  # seconds that a busy machine may need to import the package


@dataclass(frozen=True)
class Description:
    """What OpenML says about a dataset.

    Args:
        openml_id: its number.
        name: such as ``Meta_Album_BRD_Mini``.
        licence: as it was given to OpenML; empty where it was not.
        description: likewise.
        parquet_url: where its table lies, ``https://host/bucket/prefix/file.pq``; what else belongs to the dataset lies
            beside it.
    """

    openml_id: int
    name: str
    licence: str
    description: str
    parquet_url: str


def describe(openml_id: int, link: Link, notify: Notify) -> Description:
    """Ask OpenML, through its package, what a dataset is and where its files are.

    Raises:
        DownloadError: there is no answer, or it says that there is no such dataset, or that it has no files.
    """
    return persistently(link, f"asking OpenML about dataset {openml_id}", lambda: _ask(openml_id, link), notify)


def _ask(openml_id: int, link: Link) -> Description:
    with tempfile.TemporaryDirectory(prefix="supernet-tl-openml-") as folder:
        arguments = (str(openml_id), link.openml_server or "", folder, str(link.timeout))
        try:
            done = subprocess.run(
                [sys.executable, "-P", openml_process.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=link.timeout + _START,
                env=_environment(folder),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PassingError(f"the openml package did not finish within {error.timeout:g} s") from error
    said = done.stdout.strip()
    if done.returncode in (openml_process.HUNG, openml_process.FAILED):
        raise PassingError(said)
    if done.returncode == openml_process.REFUSED:
        raise DownloadError(
            f"OpenML has no dataset {openml_id} for everybody: {said}; expected an active, public dataset. Check the "
            f"number; `supernet-tl data list` shows those of Meta-Album."
        )
    if done.returncode != 0:
        reason = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise DownloadError(
            f"the openml package failed with exit code {done.returncode} ({reason}); expected a description of dataset "
            f"{openml_id}. Install the package again: pip install 'openml>=0.14.2,<0.16'."
        )
    answer = json.loads(said.splitlines()[-1])
    if not answer["parquet_url"]:
        raise DownloadError(
            f"OpenML's dataset {openml_id} ({answer['name']}) has no parquet_url, so nothing says where its files are; "
            f"expected a dataset with images. Give another number, or download its files by hand and give the folder."
        )
    return Description(
        openml_id=openml_id,
        name=str(answer["name"]),
        licence=str(answer["licence"] or ""),
        description=str(answer["description"] or ""),
        parquet_url=str(answer["parquet_url"]),
    )


def _environment(folder: str) -> dict[str, str]:
    """Whatever the package keeps goes to ``folder``; its configuration is read if there is one, but not created."""
    environment = {**os.environ, "OPENML_CACHE_DIR": folder, "PYTHONIOENCODING": "utf-8"}
    if not any(path.is_file() for path in _configurations()):
        user_base = site.getuserbase()  # follows HOME, and may hold the package
        environment |= {"XDG_CONFIG_HOME": folder, "HOME": folder, "USERPROFILE": folder, "PYTHONUSERBASE": user_base}
    return environment


def _configurations() -> list[Path]:
    """Where the package looks for its configuration on the systems it knows."""
    base = os.environ.get("XDG_CONFIG_HOME")
    places = [Path(base) / "openml", Path(base)] if base else []
    home = os.path.expanduser("~")
    if home != "~":
        places += [Path(home) / ".config" / "openml", Path(home) / ".openml"]
    return [place / "config" for place in places]
