"""Addresses of zoos: which place a path or URL stands for."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

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
from zoo_store.places.redaction import redacted
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.offline import OfflinePlace
from zoo_store.places.remote.remote_files import endpoint_of

_FILE_SCHEMES = frozenset({"file", "local"})
_IN_THIS_PROCESS = "memory"
_WITH_NAMES_IN_FRONT = frozenset({"abfs", "abfss", "az", "ftp", "sftp", "smb", "ssh"})
"""Schemes of addresses such as CONTAINER@ACCOUNT and USER@HOST; elsewhere, what stands there is a token."""

_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
_WHERE_SECRETS_BELONG = (
    "Leave it out of the address, which is shown and logged: give it by the environment (for S3 AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), in storage_options, or for the Hugging Face Hub with `hf auth login`"
)
_HUB_OPTIONS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "token": ("a text, True, False or None", lambda value: value is None or isinstance(value, str | bool)),
    "endpoint": ("a URL or None", lambda value: value is None or isinstance(value, str)),
    "private": ("True or False", lambda value: isinstance(value, bool)),
    "timeout": (
        "a number of seconds above 0",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value > 0,
    ),
}


def open_place(
    address: str | os.PathLike[str], lock_timeout: float, storage_options: Mapping[str, Any] | None = None
) -> Place:
    """The place that an address stands for; nothing is read or made yet.

    Args:
        address: a local folder (a leading ``~`` is the home folder), ``file:///PATH``, ``hf://OWNER/NAME`` (the Hugging
            Face Hub; ``hf://datasets/OWNER/NAME`` for a dataset repository, ``@REVISION`` behind either for a branch,
            tag or commit), or any other URL that fsspec knows, such as ``s3://BUCKET/PREFIX`` or ``memory://NAME``.
        lock_timeout: seconds to wait for another writer of a local folder.
        storage_options: passed on to fsspec, such as ``{"endpoint_url": ...}``; for the Hub ``token``, ``endpoint``,
            ``private`` (True: a repository that the first write makes is for its owner alone) and ``timeout``.

    Raises:
        ZooPathError: the address is empty or malformed, holds a secret, is of a scheme that is not known, or is a file;
            or the options are not for such a zoo.
    """
    text = os.fspath(address)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ZooPathError(f"{_shown(address)} is not the address of a zoo; expected a local folder or a URL.")
    options = _checked_options(storage_options)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme in _FILE_SCHEMES:
        if options:
            raise ZooPathError(f"the storage options {sorted(options)} mean nothing to a local folder; leave them out.")
        return LocalFolder(_checked_path(_path_of_url(rest) if separator else text), lock_timeout)
    url = f"{scheme}://{rest.rstrip('/')}"
    _refuse_secrets(url)
    if scheme == "hf":
        return HubRepository(HubAddress.parse(url), make_page=hub_page, **_checked_hub_options(options))
    _refuse_malformed(url)
    if is_offline() and scheme != _IN_THIS_PROCESS:
        return OfflinePlace(url, MANIFEST_FILE, endpoint_of(scheme, options))
    return ObjectStore(url, marker=MANIFEST_FILE, is_group=is_full_id, seal=sealed, storage_options=options)


def _checked_path(text: str) -> Path:
    if one_slash := _ONE_SLASH.match(text):
        scheme = one_slash[1]
        raise ZooPathError(
            f"an address that begins with {scheme}:/ and one slash is neither a URL nor likely a folder; expected "
            f"{scheme}://, as a text (pathlib.Path takes a slash away), or ./{scheme}:/ for the folder of that name."
        )
    try:
        path = Path(text).expanduser().absolute()
        os.fsencode(path)
        is_taken = path.exists() and not path.is_dir()
    except PermissionError:
        return path  # which the first question to the folder tells
    except (OSError, RuntimeError, UnicodeEncodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise ZooPathError(
            f"{_shown(text)} cannot be the folder of a zoo: {reason}. Give the path of another folder."
        ) from error
    if is_taken:
        raise ZooPathError(f"{text!r} is a file; a zoo is a folder: give the path of a folder, or of a new one.")
    return path


def _path_of_url(rest: str) -> str:
    """The path that a file URL names, from what follows its scheme."""
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise ZooPathError(
            "a file URL names an absolute path of this machine, file:///PATH; what was given names another machine, or "
            "none. Write the path without file:// if it is a relative one."
        )
    decoded = os.fsdecode(unquote_to_bytes(f"/{path}".encode(errors="surrogatepass")))
    if "\0" in decoded:
        raise ZooPathError("a file URL with %00 in it names no folder; expected file:///PATH.")
    return decoded


def _refuse_secrets(url: str) -> None:
    """Refuse a URL that may hold a secret, or more than one URL, repeating nothing of it."""
    if "::" in url:
        raise ZooPathError(
            "the address is not that of a zoo: it has '::', which chains file systems of fsspec; expected "
            "SCHEME://BUCKET/PREFIX or SCHEME://NAME. Write an IPv6 address in full, without '::'."
        )
    scheme, _, rest = url.partition("://")
    decoded = unquote(rest)
    may_have_names = scheme in _WITH_NAMES_IN_FRONT or "@" not in decoded.partition("/")[0]
    if ":" in decoded.rpartition("@")[0] or not may_have_names:
        raise ZooPathError(f"the address of the zoo has a name or a secret before its '@'. {_WHERE_SECRETS_BELONG}.")
    if "?" in rest:
        raise ZooPathError(
            f"the address of the zoo has a query, from its '?' on, which no zoo needs. {_WHERE_SECRETS_BELONG}."
        )


def _refuse_malformed(url: str) -> None:
    parts = url.partition("://")[2].split("/")
    if parts == [""] or not url.isprintable():
        raise ZooPathError(
            f"{_shown(url)} is not the address of a zoo; expected SCHEME://BUCKET/PREFIX or SCHEME://NAME."
        )
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ZooPathError(
            f"{url!r} is not the address of a zoo: a part between its slashes is empty, '.' or '..'; expected "
            "SCHEME://BUCKET/PREFIX or SCHEME://NAME."
        )


def _checked_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    if options is not None and not isinstance(options, Mapping):
        raise ZooPathError(f"storage_options is a {type(options).__name__}; expected a dictionary.")
    return dict(options or {})


def _checked_hub_options(options: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(options.keys() - _HUB_OPTIONS.keys())
    if unknown:
        raise ZooPathError(
            f"the storage options {unknown} mean nothing to the Hugging Face Hub; expected some of "
            f"{sorted(_HUB_OPTIONS)}."
        )
    for key, value in options.items():
        expected, accepts = _HUB_OPTIONS[key]
        if not accepts(value):
            raise ZooPathError(f"the storage option {key!r} is a {type(value).__name__}; expected {expected}.")
    return options


def _shown(address: object) -> str:
    return redacted(repr(address)[:200])
