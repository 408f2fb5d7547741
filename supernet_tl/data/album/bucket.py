"""The files of a dataset, as the store that OpenML keeps them in lists them."""

from __future__ import annotations

import os
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import ParseError

from supernet_tl.data.album.link import Link, Notify, PassingError, persistently
from supernet_tl.data.album.openml_process import in_words
from supernet_tl.data.errors import DownloadError

if TYPE_CHECKING:
    from urllib3 import PoolManager

_REDIRECTS = 3


@dataclass(frozen=True)
class StoredFile:
    """A file that lies beside a dataset's table.

    Args:
        name: without the folder.
        url: where it lies.
        num_bytes: its size.
        etag: changes when the file does; without quotes.
    """

    name: str
    url: str
    num_bytes: int
    etag: str


def list_files(parquet_url: str, link: Link, notify: Notify) -> tuple[StoredFile, ...]:
    """The files that lie beside a dataset's table, by name.

    Args:
        parquet_url: ``https://host/bucket/prefix/file.pq``; asked by the scheme it names.
        link: how to ask.
        notify: is told of failures that may pass.

    Raises:
        DownloadError: there is no answer, or no such bucket.
    """
    parts = urlsplit(parquet_url)
    bucket, _, key = parts.path.lstrip("/").partition("/")
    prefix = key.rpartition("/")[0]
    if parts.scheme not in ("http", "https") or not parts.netloc or not bucket or not prefix:
        raise DownloadError(
            f"OpenML says that the files lie at {parquet_url!r}; expected http(s)://host/bucket/folder/file. This "
            f"version of supernet-tl cannot read such an address."
        )
    return persistently(
        link, f"listing the files beside {parquet_url}", lambda: _list(parquet_url, bucket, prefix, link), notify
    )


def connection(url: str, link: Link) -> PoolManager:
    """Connections to a host: with time-outs and certificates, through the proxy that the environment names."""
    import certifi
    import urllib3

    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=link.timeout, read=link.timeout),
        "retries": urllib3.Retry(total=_REDIRECTS, redirect=_REDIRECTS, connect=0, read=0, status=0, other=0),
        "cert_reqs": "CERT_REQUIRED",
        "ca_certs": os.environ.get("SSL_CERT_FILE") or certifi.where(),
    }
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _list(parquet_url: str, bucket: str, prefix: str, link: Link) -> tuple[StoredFile, ...]:
    import minio
    import urllib3

    parts = urlsplit(parquet_url)
    base = f"{parts.scheme}://{parts.netloc}/{bucket}/"
    host = f"the server {parts.netloc}"
    client = minio.Minio(
        endpoint=parts.netloc, secure=parts.scheme == "https", http_client=connection(parquet_url, link)
    )
    try:
        found = list(client.list_objects(bucket, prefix=f"{prefix}/", recursive=True))
    except minio.S3Error as error:
        if error.response.status >= 500 or error.code == "RequestTimeout":
            raise PassingError(f"{host} answered {error.code} ({error.message})") from error
        raise DownloadError(
            f"{host} does not list {bucket}/{prefix}: {error.code} ({error.message}); expected the files of a dataset "
            f"that everybody may read. The files may have moved: try again later, or tell OpenML."
        ) from error
    except minio.error.MinioException as error:
        raise PassingError(f"{host} answered something else than a listing ({one_line(error)})") from error
    except (ParseError, ValueError) as error:
        raise PassingError(f"{host} answered something that is no listing ({one_line(error)})") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise PassingError(f"{host} could not be asked for its files ({in_words(error)})") from error
    files = []
    for item in found:
        key = item.object_name or ""
        folder, _, name = key.rpartition("/")
        if folder == prefix and name:
            files.append(StoredFile(name, base + quote(key), int(item.size or 0), (item.etag or "").strip('"')))
    return tuple(sorted(files, key=lambda file: file.name))


def one_line(error: Exception) -> str:
    """What an error says, short enough to stand in a sentence."""
    return " ".join(str(error).split())[:300]
