"""Datasets of OpenML in the Meta-Album layout, kept on this machine and downloaded where they are not."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from supernet_tl.data.album.adoption import adopt, package_copy
from supernet_tl.data.album.archive import unpack
from supernet_tl.data.album.bucket import StoredFile, list_files
from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.inspection import inspect
from supernet_tl.data.album.keeping import keep
from supernet_tl.data.album.kept import FetchedFile, KeptSet, find_kept, openml_dir
from supernet_tl.data.album.link import Notify
from supernet_tl.data.album.lookup import find_id
from supernet_tl.data.album.openml_client import Description, describe
from supernet_tl.data.album.table import AlbumVersion, number_of
from supernet_tl.data.album.transfer import ChangedError, fetch, sha256_of
from supernet_tl.data.errors import DataError, DownloadError, LayoutError, OfflineError, listing
from supernet_tl.data.places import OFFLINE_SWITCH

_LISTINGS = 3  # a file that changes more often while it is downloaded is given up


def get(wanted: AlbumVersion | int, fetching: Fetching | None = None, *, thorough: bool = False) -> KeptSet:
    """A dataset as this machine keeps it, downloaded if it is not kept, or if what is kept is damaged.

    A download that is stopped, by whatever, is continued by the next. One process downloads; others wait for it.
    What is damaged is said to be, and replaced only when what replaces it is whole.

    Args:
        wanted: of Meta-Album, or the number of another dataset of OpenML that has images in its layout.
        fetching: what is told to whom, and whether anything may be downloaded.
        thorough: of what is kept hold every byte against what was downloaded, and not names and sizes alone.

    Raises:
        OfflineError: it is not kept whole, and nothing may be downloaded.
        DownloadError: it cannot be had, or cannot be kept, or what came is not what it should be.
        LayoutError: OpenML has it, but without images in the Meta-Album layout.
    """
    fetching = fetching or Fetching()
    version = find_id(wanted) if isinstance(wanted, int) else wanted
    openml_id = number_of(wanted)
    name = f"openml:{openml_id if version is None else version.name}"
    found, fault = _whole(openml_id, thorough=thorough)
    if found is not None:
        return found
    copied = version is not None and package_copy(version) is not None
    if fetching.is_offline and not copied:
        raise _offline(name, fault)
    try:
        with _alone(openml_id, name, fetching.notify):
            found, fault = _whole(openml_id, thorough=thorough)  # another process may have fetched it meanwhile
            if found is not None:
                return found
            if fault:
                fetching.notify(f"{name} is damaged ({fault}); it is fetched again")
            adopted = None if version is None else adopt(version, fetching)
            if adopted is not None:
                return adopted
            if fetching.is_offline:
                raise _offline(name, fault)
            return _download(openml_id, version, fetching)
    except DataError:
        raise
    except OSError as error:
        raise DownloadError(
            f"{name} cannot be kept in {openml_dir()} ({error.strerror or error}); expected a folder that can be "
            f"written to, with room for it. Make room, or set SUPERNET_TL_CACHE to another folder."
        ) from error


def _offline(name: str, fault: str) -> OfflineError:
    state = f"damaged ({fault})" if fault else "not kept"
    return OfflineError(
        f"{name} is {state} in {openml_dir()}, and this run is offline; expected a dataset that was downloaded. Fetch "
        f"it once without --offline and {OFFLINE_SWITCH}, or set SUPERNET_TL_CACHE to where it is."
    )


def _whole(openml_id: int, *, thorough: bool) -> tuple[KeptSet | None, str]:
    """What is kept if it is whole; else what is wrong with it, if there is anything."""
    try:
        found = find_kept(openml_id)
    except LayoutError as error:
        return None, str(error).rstrip(".")
    damage = None if found is None else found.damage(thorough=thorough)
    return (found, "") if damage is None else (None, damage)


@contextmanager
def _alone(openml_id: int, name: str, notify: Notify) -> Iterator[None]:
    """No other process downloads this dataset meanwhile."""
    folder = openml_dir() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{openml_id}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notify(f"{name} is being downloaded by another process; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(openml_id: int, version: AlbumVersion | None, fetching: Fetching) -> KeptSet:
    incoming = openml_dir() / ".incoming" / str(openml_id)
    incoming.mkdir(parents=True, exist_ok=True)
    description, file = _fetch_archive(openml_id, version, incoming, fetching)
    archive, whole = incoming / file.name, incoming / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    try:
        folder = whole / (version.folder if version is not None else _plain_name(description.name))
        unpack(archive, folder)
        fetched = FetchedFile(file.name, file.url, file.num_bytes, file.etag, sha256_of(archive))
        inspection = inspect(folder, version, fetching.checked)
        if inspection.problems:
            raise DownloadError(
                f"{file.url} came as its server has it, and is not a whole set: {' '.join(inspection.problems)} "
                f"Nothing was kept. Try again later; if it stays so, tell OpenML."
            )
        for remark in inspection.remarks:
            fetching.notify(f"{description.name}: {remark}")
        found = keep(folder, inspection, description, (fetched,))
    except DataError:
        archive.unlink()  # what is wrong with it would be so again
        raise
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    shutil.rmtree(incoming, ignore_errors=True)
    return found


def _fetch_archive(
    openml_id: int, version: AlbumVersion | None, incoming: Path, fetching: Fetching
) -> tuple[Description, StoredFile]:
    description = describe(openml_id, fetching.link, fetching.notify)
    if version is not None and description.name.lower() != version.openml_name.lower():
        raise DownloadError(
            f"OpenML's dataset {openml_id} is called {description.name!r}; expected {version.openml_name!r}. The "
            f"numbers of OpenML or the table of supernet-tl have changed: tell its authors."
        )
    for _ in range(_LISTINGS):
        file = _archive_among(list_files(description.parquet_url, fetching.link, fetching.notify), description)
        fetching.notify(_announcement(version, description, file))
        _check_room(incoming, file)
        try:
            fetch(file, incoming / file.name, fetching.link, fetching.progress, fetching.notify)
        except ChangedError as error:
            fetching.notify(f"{error}; it is downloaded from its beginning")
        else:
            return description, file
    raise DownloadError(
        f"{file.url} changed {_LISTINGS} times while it was downloaded; expected a file that stays as it is. Try again "
        f"later."
    )


def _archive_among(files: tuple[StoredFile, ...], description: Description) -> StoredFile:
    archives = [file for file in files if file.name.lower().endswith(".zip")]
    if len(archives) == 1:
        return archives[0]
    what = f"OpenML's dataset {description.openml_id} ({description.name})"
    if archives:
        raise LayoutError(
            f"{what} has {len(archives)} archives: {listing([file.name for file in archives])}; expected one, with "
            f"images in the Meta-Album layout. Download the one you want by hand and give its folder."
        )
    raise LayoutError(
        f"{what} is a table of numbers, not images: it has {listing([file.name for file in files]) or 'no files'}, and "
        f"no archive; expected a zip of images in the Meta-Album layout. Give another dataset."
    )


def _announcement(version: AlbumVersion | None, description: Description, file: StoredFile) -> str:
    size = f"1 file of {file.num_bytes / 1e6:.1f} MB"
    stated = description.licence or "not stated"
    if version is None:
        return f"downloading {description.name} (OpenML {description.openml_id}), {size}; licence: {stated}"
    album_set = version.album_set
    images = "" if version.num_images is None else f"{version.num_images} images, "
    return (
        f"downloading Meta-Album {version.name}, {album_set.name} ({album_set.domain}), from OpenML "
        f"{version.openml_id}: {images}{size}; licence: {album_set.licence} (OpenML: {stated})"
    )


def _check_room(incoming: Path, file: StoredFile) -> None:
    """The archive and what comes out of it, which is about as large, must find room."""
    free, needed = shutil.disk_usage(incoming).free, 2 * file.num_bytes
    if free < needed:
        raise OSError(errno.ENOSPC, f"{free / 1e6:.1f} MB are free, and about {needed / 1e6:.1f} MB are needed")


def _plain_name(name: str) -> str:
    """OpenML's name as that of a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:100] or "images"
