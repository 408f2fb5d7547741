"""Files that lie afar, through fsspec: bounded waiting, bounded trying, nothing remembered between two questions."""

import errno
import os
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from zoo_store.errors import ZooPathError
from zoo_store.places.redaction import redacted, secrets_in

T = TypeVar("T")
Info = Mapping[str, Any]

_PAUSES_S = (0.25, 0.75)
_S3 = frozenset({"s3", "s3a"})
_WITH_BUCKETS = _S3 | {"memory", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss"}
_S3_LIMITS = {"connect_timeout": 5, "read_timeout": 8, "retries": {"total_max_attempts": 1}}
_SLOWEST_BYTES_PER_S = 50_000
_TRANSIENT_CODES = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ETIMEDOUT, errno.ENETUNREACH, getattr(errno, "EREMOTEIO", errno.EIO)}
)
_TRANSIENT_NAMES = frozenset(
    {"ConnectionError", "HTTPClientError", "ResponseParserError", "ClientConnectionError", "ClientPayloadError"}
    | {"ServerTimeoutError", "IncompleteRead", "SSHException"}
)  # of botocore, aiohttp, urllib3 and paramiko, none of which need be installed
_WHICH_SERVER = ("endpoint_url", "account_name", "account_host", "host", "port")


class RemoteFiles:
    """The files under a URL, by their path below it.

    What fails for a passing reason, such as a broken connection, is tried three times; S3 is given 5 s to be reached
    and 8 s to answer. What fails for good is raised as the file system raises it, since each has exceptions of its own;
    `reason_of` and `remedy_of` put them into words. A `FileNotFoundError` always means that.

    It can be sent to other processes, and forked: each opens its own connections.

    Args:
        url: with a scheme, and a bucket or name.
        storage_options: passed on to fsspec; they win over the limits above.

    Raises:
        ZooPathError: the scheme is not known, its package is not installed, or the options cannot be.
    """

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self.url = url.rstrip("/")
        self.scheme = self.url.partition("://")[0]
        _require_file_system(self.scheme, self.url)
        self._options = _with_limits(self.scheme, dict(storage_options or {}))
        self.endpoint = endpoint_of(self.scheme, storage_options or {})
        self.secrets = frozenset(secrets_in(storage_options))
        self._opened: tuple[int, Any, str] | None = None
        self.creates_exclusively = self._puts_whole_files = self.scheme in _WITH_BUCKETS

    def exists(self) -> bool:
        """Whether there is the URL's folder; or its bucket, where folders are no more than parts of names."""

        def ask(system: Any, root: str) -> bool:
            try:
                system.info(root.partition("/")[0] if self.scheme in _WITH_BUCKETS else root)
            except FileNotFoundError:
                return False
            return True

        return self._ask(ask)

    def size(self, path: str) -> int | None:
        """The size of a file in bytes; None where there is no file."""
        info = self.info(path)
        return None if info is None else int(info["size"])

    def info(self, path: str) -> Info | None:
        """What the file system tells about a file, its size at least; None where there is no file."""
        try:
            info: Info = self._ask(lambda system, root: system.info(_join(root, path)))
        except FileNotFoundError:
            return None
        return info if info["type"] == "file" else None

    def listing(self, under: str = "") -> dict[str, Info]:
        """What the file system tells about each file in or below a folder, by path; empty where there is none."""

        def find(system: Any, root: str) -> dict[str, Info]:
            try:
                return dict(system.find(_join(root, under), detail=True))
            except FileNotFoundError:
                return {}

        listed = self._ask(find)
        # s3fs looks at the folder itself when it found nothing in it, and lists that if files have come meanwhile.
        found = {name: info for name, info in listed.items() if info["type"] != "directory"}
        start = f"{self._open()[1].rstrip('/')}/"
        stray = next((name for name in found if not name.startswith(start)), None)
        if stray is not None:
            raise OSError(errno.EIO, f"the file system lists {stray!r} where all names should begin with {start!r}")
        return {name[len(start) :]: info for name, info in found.items()}

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes of a file from ``start`` up to ``end``, which its size must allow."""
        if start == end:
            return b""  # which S3 refuses to give
        return bytes(self._ask(lambda system, root: system.cat_file(_join(root, path), start=start, end=end)))

    def create(self, path: str, data: bytes) -> bool:
        """Write a new file.

        Where the file system can, this is exclusive: of several writers one is told True. Otherwise it looks first, and
        `creates_exclusively` is False from then on.

        Returns:
            False when there was a file already, maybe with these bytes: also one that an earlier try, whose answer was
            lost, has written.
        """

        def put_new(system: Any, name: str) -> bool:
            try:
                system.pipe_file(name, data, mode="create", **_deadline(system, data))
            except FileExistsError:
                return False
            except (NotImplementedError, ValueError, OSError) as error:
                if not _means_no_exclusive_put(error):
                    raise
                self.creates_exclusively = False
            else:
                return True
            return put_after_look(system, name)

        def put_after_look(system: Any, name: str) -> bool:
            if system.exists(name):
                return False
            self._write(system, name, data)
            return True

        return self._put(path, put_new if self.creates_exclusively else put_after_look)

    def replace(self, path: str, data: bytes) -> None:
        """Write a file, whether or not there is one."""
        self._put(path, lambda system, name: self._write(system, name, data))

    def copy(self, path: str, target: str) -> None:
        """Copy a file, without its bytes passing through here where the file system can."""
        self._put(target, lambda system, name: system.cp_file(_join(self._open()[1], path), name))

    def delete(self, path: str) -> None:
        """Delete a file; it is no error if it is gone."""

        def remove(system: Any, root: str) -> None:
            try:
                system.rm_file(_join(root, path))
            except FileNotFoundError:
                return

        self._ask(remove)

    def modified(self, path: str) -> datetime | None:
        """When a file was written, by the clock of whoever stores it; None where nobody tells.

        Raises:
            FileNotFoundError: it is gone.
        """
        try:
            time_of = self._ask(lambda system, root: system.modified(_join(root, path)))
        except NotImplementedError:
            return None
        if not isinstance(time_of, datetime):
            return None
        return time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}  # connections do not travel

    def _put(self, path: str, put: Callable[[Any, str], T]) -> T:
        """Write to a path, in a folder that is made if need be; a bucket is not."""

        def put_there(system: Any, root: str) -> T:
            name = _join(root, path)
            try:
                return put(system, name)
            except FileNotFoundError:
                if self.scheme in _WITH_BUCKETS:
                    raise
                system.makedirs(name.rpartition("/")[0], exist_ok=True)
                return put(system, name)

        return self._ask(put_there)

    def _write(self, system: Any, name: str, data: bytes) -> None:
        """Write a file so that nobody sees a part of it."""
        if self._puts_whole_files:
            system.pipe_file(name, data, **_deadline(system, data))
            return
        incoming = f"{name.rpartition('/')[0]}/.incoming-{uuid.uuid4().hex}"
        try:
            system.pipe_file(incoming, data, **_deadline(system, data))
            system.mv(incoming, name)
        except BaseException:
            with suppress(Exception):
                system.rm_file(incoming)
            raise

    def _ask(self, question: Callable[[Any, str], T]) -> T:
        for pause_s in _PAUSES_S:
            try:
                return self._ask_once(question)
            except Exception as error:  # file systems have no common ancestor of what they raise
                if not _is_transient(error):
                    raise
            time.sleep(pause_s)
        return self._ask_once(question)

    def _ask_once(self, question: Callable[[Any, str], T]) -> T:
        system, root = self._open()
        system.invalidate_cache()  # others write too
        return question(system, root)

    def _open(self) -> tuple[Any, str]:
        """The file system, opened by this very process, and the path of the URL in it."""
        if self._opened is None or self._opened[0] != os.getpid():
            from fsspec.core import url_to_fs

            system, root = url_to_fs(self.url, skip_instance_cache=True, **self._options)
            if self.scheme in _S3:
                system.retries = 1  # trying again is done here
            self._opened = (os.getpid(), system, root)
        return self._opened[1:]


def endpoint_of(scheme: str, storage_options: Mapping[str, Any]) -> str:
    """Which server answers for a URL that names none, as far as options and environment tell; a text to compare."""
    nested = storage_options.get("client_kwargs")
    given = (storage_options, nested if isinstance(nested, Mapping) else {})
    told = [f"{key}={options[key]}" for options in given for key in _WHICH_SERVER if key in options]
    if scheme in _S3 and not told:
        told = [os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""]
    return " ".join(told)


def reason_of(error: Exception, secrets: Collection[str] = ()) -> str:
    """What went wrong, as a clause in which no secrets are."""
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    return redacted(str(getattr(error, "strerror", None) or error or type(error).__name__).rstrip("."), secrets)


def remedy_of(error: Exception, scheme: str) -> str:
    """What to do about it, as a sentence without its full stop."""
    if isinstance(error, FileNotFoundError) and scheme in _WITH_BUCKETS:
        return "Make the bucket first, or check the address"
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        if scheme in _S3:
            return (
                "Give credentials that may do this: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or "
                "storage_options such as {'anon': True} for a public bucket"
            )
        return "Give credentials that may do this, by the file system's own means or in storage_options"
    if _is_transient(error):
        endpoint = ", and AWS_ENDPOINT_URL or storage_options={'endpoint_url': ...}" if scheme in _S3 else ""
        return f"Check the network and the address{endpoint}"
    return "See to the cause"


def _require_file_system(scheme: str, address: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        remedy = "pip install 'supernet-tl[s3]'" if scheme in _S3 else f"fsspec says: {error}"
        raise ZooPathError(
            f"the zoo {address!r} needs a package that is not installed; install it ({remedy}), or copy the zoo to a "
            "local folder."
        ) from error
    except ValueError as error:
        raise ZooPathError(
            f"{address!r} has the scheme {scheme!r}, which fsspec does not know; expected a local folder, hf://, "
            "s3://, or another of fsspec.available_protocols()."
        ) from error


def _with_limits(scheme: str, options: dict[str, Any]) -> dict[str, Any]:
    if scheme not in _S3:
        return options
    config = options.get("config_kwargs") or {}
    if not isinstance(config, Mapping):
        raise ZooPathError(f"the storage option 'config_kwargs' is a {type(config).__name__}; expected a dictionary.")
    return {"use_listings_cache": False} | options | {"config_kwargs": _S3_LIMITS | dict(config)}


def _join(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path}" if path else root


def _deadline(system: Any, data: bytes) -> dict[str, float]:
    """How long an upload may take, where that can be told: the limits of a connection do not cover it."""
    from fsspec.asyn import AsyncFileSystem

    return {"timeout": 30 + len(data) / _SLOWEST_BYTES_PER_S} if isinstance(system, AsyncFileSystem) else {}


def _means_no_exclusive_put(error: Exception) -> bool:
    return not isinstance(error, OSError) or error.errno in (errno.ENOSYS, errno.ENOTSUP)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | FileExistsError | PermissionError):
        if isinstance(error, TimeoutError | ConnectionError) or error.errno in _TRANSIENT_CODES:
            return True
    return any(ancestor.__name__ in _TRANSIENT_NAMES for ancestor in type(error).__mro__)
