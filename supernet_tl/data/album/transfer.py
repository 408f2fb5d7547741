"""One file from afar: resumed where it was stopped, held against its size and its digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from supernet_tl.data.album.bucket import StoredFile, connection
from supernet_tl.data.album.link import Link, Notify, PassingError, persistently
from supernet_tl.data.album.openml_process import in_words
from supernet_tl.data.errors import DownloadError

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

_CHUNK = 1 << 20
_MD5 = re.compile(r"[0-9a-f]{32}")
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class ChangedError(Exception):
    """The file is no longer the one that was listed."""


def fetch(file: StoredFile, path: Path, link: Link, progress: Callable[[int, int], None], notify: Notify) -> None:
    """Download a file; what an earlier download of the same file has left at ``path`` is not asked for again.

    Beside ``path``, ``path`` + ``.json`` says of which file it is the beginning.

    Args:
        file: as it was listed.
        path: where it goes.
        link: how to ask.
        progress: called with bytes there and bytes in all.
        notify: is told of what goes wrong and is tried again.

    Raises:
        ChangedError: the store has another file by now; list again.
        DownloadError: it cannot be had, or is not what was listed.
        OSError: the disk refused.
    """
    _begin(file, path)
    what = f"downloading {file.name}"
    for last in (False, True):
        persistently(link, what, lambda: _continue(file, path, link, progress), notify)
        fault = _fault(file, path)
        if fault is None:
            return
        path.unlink()
        if not last:
            notify(f"{what}: {fault}; it is fetched once more")
    raise DownloadError(
        f"{file.url} came twice with other bytes than were listed: {fault}; expected the file as its server describes "
        f"it. Something on the way may change it: try another network, or tell OpenML."
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _begin(file: StoredFile, path: Path) -> None:
    """Keep what is there if it is a beginning of this very file."""
    mark = path.with_name(path.name + ".json")
    identity = {"url": file.url, "etag": file.etag, "num_bytes": file.num_bytes}
    try:
        known = json.loads(mark.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = None
    if known != identity or not file.etag or (path.exists() and path.stat().st_size > file.num_bytes):
        path.unlink(missing_ok=True)
        mark.write_text(json.dumps(identity), encoding="utf-8")


def _continue(file: StoredFile, path: Path, link: Link, progress: Callable[[int, int], None]) -> None:
    """Ask for what is missing, and append it as it comes."""
    import urllib3

    start = path.stat().st_size if path.exists() else 0
    progress(start, file.num_bytes)
    if path.exists() and start == file.num_bytes:
        return
    headers = {"Accept-Encoding": "identity"}
    if file.etag:
        headers["If-Match"] = f'"{file.etag}"'
    if start:
        headers["Range"] = f"bytes={start}-"
    best = start
    try:
        with connection(file.url, link) as pool:
            response = pool.request("GET", file.url, headers=headers, preload_content=False, decode_content=False)
            try:
                position = _position(file, response, start)
                with path.open("r+b" if path.exists() else "wb") as target:
                    target.truncate(position)
                    target.seek(position)
                    for best in _arriving(response, target, position, file.num_bytes, link):
                        progress(best, file.num_bytes)
            finally:
                response.close()
    except urllib3.exceptions.HTTPError as error:
        raise PassingError(
            f"the connection to {file.url} broke ({in_words(error)})", got_further=best - start >= _CHUNK
        ) from error
    except PassingError as error:
        raise PassingError(str(error), got_further=best - start >= _CHUNK) from error
    if best < file.num_bytes:
        raise PassingError(
            f"the server closed the connection after {best} of {file.num_bytes} bytes",
            got_further=best - start >= _CHUNK,
        )


def _position(file: StoredFile, response: BaseHTTPResponse, start: int) -> int:
    """From which byte on the answer continues the file."""
    status = response.status
    etag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
    if status in (412, 416) or (status in (200, 206) and file.etag and etag and etag != file.etag):
        raise ChangedError(f"{file.url} has changed since it was listed")
    if status in _PASSING:
        raise PassingError(f"the server answered {status} for {file.url}")
    if status == 206:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != start or given[2] not in ("*", str(file.num_bytes)):
            raise DownloadError(
                f"{file.url} was asked for from byte {start} of {file.num_bytes} on, and its server sent "
                f"{response.headers.get('Content-Range')!r}; expected what was asked for. Tell OpenML."
            )
        return start
    if status == 200:
        length = response.headers.get("Content-Length")
        if length is not None and length != str(file.num_bytes):
            raise ChangedError(f"{file.url} has {length} bytes now, and {file.num_bytes} when it was listed")
        return 0
    raise DownloadError(
        f"{file.url} was answered with status {status} ({response.reason}); expected the file. It may have moved: try "
        f"again later, or tell OpenML."
    )


def _arriving(response: BaseHTTPResponse, target: BinaryIO, position: int, num_bytes: int, link: Link) -> Iterator[int]:
    """Write what comes, as it comes, and say how far it has got; a trickle is given up like silence."""
    since, mark = time.monotonic(), position
    while position < num_bytes:
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        target.write(chunk[: num_bytes - position])
        position = min(position + len(chunk), num_bytes)
        yield position
        waited = time.monotonic() - since
        if waited >= link.timeout:
            if position - mark < link.min_speed * waited:
                raise PassingError(f"the server sent only {position - mark} bytes in {waited:.0f} s")
            since, mark = time.monotonic(), position
    target.flush()
    os.fsync(target.fileno())


def _fault(file: StoredFile, path: Path) -> str | None:
    """In what a whole file differs from what was listed; an ETag that is no MD5 says nothing about it."""
    if _MD5.fullmatch(file.etag.lower()) is None:
        return None
    with path.open("rb") as there:
        digest = hashlib.file_digest(there, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return None if digest == file.etag.lower() else f"its MD5 is {digest}, and the server says {file.etag}"
