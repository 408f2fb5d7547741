"""Addresses of zoos: which place a path or URL stands for."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_store.environment import is_offline
from zoo_store.errors import ZooPathError
from zoo_store.format.hub_page import hub_page
from zoo_store.format.identity import is_full_id
from zoo_store.format.manifest import MANIFEST_FILE
from zoo_store.format.sealing import sealed
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.hub.repository import HubRepository
from zoo_store.places.local import LocalFolder
from zoo_store.places.place import Place
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.offline import OfflinePlace
from zoo_store.places.remote.remote_files import shown_url

_HUB_OPTIONS = frozenset({"token", "endpoint", "private", "timeout"})


def open_place(
    address: str | os.PathLike[str], lock_timeout: float, storage_options: Mapping[str, Any] | None = None
) -> Place:
    """The place that an address stands for; nothing is read or made yet.

    Args:
        address: a local folder, ``file://``, ``hf://OWNER/NAME`` (the Hugging Face Hub; ``hf://datasets/OWNER/NAME``
            for a dataset repository, ``@REVISION`` behind either for a branch, tag or commit), or any other URL that
            fsspec knows, such as ``s3://BUCKET/PREFIX`` or ``memory://NAME``.
        lock_timeout: seconds to wait for another writer of a local folder.
        storage_options: passed on to fsspec, such as ``{"endpoint_url": ...}``; for the Hub ``token``, ``endpoint``,
            ``private`` (True: a repository that the first write makes is for its owner alone) and ``timeout``.

    Raises:
        ZooPathError: the address is empty or malformed, its scheme is not known, or it is a file.
    """
    text = os.fspath(address)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ZooPathError(f"{address!r} is not the address of a zoo; expected a local folder or a URL.")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme in ("file", "local"):
        return LocalFolder(_checked_path(rest if separator else text), lock_timeout)
    if scheme == "hf":
        return HubRepository(HubAddress.parse(text), make_page=hub_page, **_checked_hub_options(storage_options or {}))
    if is_offline():
        return OfflinePlace(shown_url(text), MANIFEST_FILE)
    return ObjectStore(text, marker=MANIFEST_FILE, is_group=is_full_id, seal=sealed, storage_options=storage_options)


def _checked_path(text: str) -> Path:
    absolute = Path(text).absolute()
    if absolute.exists() and not absolute.is_dir():
        raise ZooPathError(f"{text!r} is a file; a zoo is a folder: give the path of a folder, or of a new one.")
    return absolute


def _checked_hub_options(options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(options.keys() - _HUB_OPTIONS)
    if unknown:
        raise ZooPathError(
            f"the storage options {unknown} mean nothing to the Hugging Face Hub; expected some of "
            f"{sorted(_HUB_OPTIONS)}."
        )
    return dict(options)
