"""OpenML and its file store on loopback: what the openml package and S3 clients ask for, and failures."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

NO_SUCH_DATASET = (412, 111, "Unknown dataset")
PRIVATE = (412, 112, "No access granted")


@dataclass(frozen=True)
class Request:
    """What was asked: ``kind`` is description, listing, head or file."""

    kind: str
    path: str
    range: str | None
    if_match: str | None


@dataclass(frozen=True)
class Fault:
    """An answer other than the right one.

    Args:
        status: of the answer.
        body: sent instead of the right one.
        content_type: of ``body``.
        cut_after: send the right answer, but close the connection after this many bytes of it.
        stall_after: send the right answer, but wait after this many bytes until ``go_on`` is set.
        trickle: send the right answer, a byte at a time with this many seconds in between.
        hang: accept and send nothing.
        ignore_range: send the whole file though a part was asked for.
    """

    status: int = 200
    body: bytes | None = None
    content_type: str = "text/html"
    cut_after: int | None = None
    stall_after: int | None = None
    trickle: float | None = None
    hang: bool = False
    ignore_range: bool = False


def oml_error(error: tuple[int, int, str]) -> Fault:
    """OpenML's way to say no: an HTTP status, a code of its own, a sentence."""
    status, code, message = error
    body = (
        f'<oml:error xmlns:oml="http://openml.org/openml"><oml:code>{code}</oml:code>'
        f"<oml:message>{message}</oml:message></oml:error>"
    )
    return Fault(status=status, body=body.encode(), content_type="text/xml")


@dataclass
class FakeDataset:
    """A dataset: its description, and the files that lie beside its table."""

    name: str
    files: dict[str, bytes]
    licence: str = "Public"
    with_parquet_url: bool = True
    etags: dict[str, str] = field(default_factory=dict)

    def etag(self, file: str) -> str:
        return self.etags.get(file) or hashlib.md5(self.files[file]).hexdigest()


class FakeOpenML(ThreadingHTTPServer):
    """Serves datasets by number, writes down what it was asked for, and fails as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.datasets: dict[int, FakeDataset] = {}
        self.log: list[Request] = []
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.zipped = True
        self.released = threading.Event()
        self.go_on = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may leave in mid-sentence; all else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def api(self) -> str:
        return f"http://{self.host}/api/v1/xml"

    def parquet_url(self, openml_id: int) -> str:
        return f"http://{self.host}/datasets/{openml_id // 10_000:04d}/{openml_id:04d}/dataset_{openml_id}.pq"

    def asked(self, kind: str) -> list[Request]:
        return [request for request in self.log if request.kind == kind]


@contextmanager
def serving() -> Iterator[FakeOpenML]:
    with FakeOpenML() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.go_on.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FakeOpenML
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._file("head", urlsplit(self.path).path, send_body=False)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/api/v1/xml/data/"):
            self._description(int(parts.path.rpartition("/")[2]))
        elif parts.path.strip("/") == "datasets":
            self._listing(parse_qs(parts.query, keep_blank_values=True))
        else:
            self._file("file", parts.path)

    def _next_fault(self, kind: str) -> Fault | None:
        request = Request(kind, self.path, self.headers.get("Range"), self.headers.get("If-Match"))
        self.server.log.append(request)
        planned = self.server.faults.get(kind)
        fault = planned.pop(0) if planned else self.server.always.get(kind)
        if fault is not None and fault.hang:
            self.server.released.wait(30)
            self.close_connection = True
        return fault

    def _description(self, openml_id: int) -> None:
        fault = self._next_fault("description")
        dataset = self.server.datasets.get(openml_id)
        if fault is None and dataset is None:
            fault = oml_error(NO_SUCH_DATASET)
        if fault is not None and (fault.hang or fault.body is not None):
            self._say(fault)
            return
        assert dataset is not None
        parquet = self.server.parquet_url(openml_id)
        body = (
            '<oml:data_set_description xmlns:oml="http://openml.org/openml">'
            f"<oml:id>{openml_id}</oml:id><oml:name>{escape(dataset.name)}</oml:name><oml:version>1</oml:version>"
            "<oml:description>Images for a test.</oml:description><oml:format>arff</oml:format>"
            f"<oml:licence>{escape(dataset.licence)}</oml:licence><oml:url>http://{self.server.host}/none.arff</oml:url>"
            + (f"<oml:parquet_url>{parquet}</oml:parquet_url>" if dataset.with_parquet_url else "")
            + "<oml:default_target_attribute>CATEGORY</oml:default_target_attribute><oml:status>active</oml:status>"
            "</oml:data_set_description>"
        ).encode()
        headers = {"Content-Type": "text/xml; charset=UTF-8"}
        if self.server.zipped and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        self._send(200, headers, body)

    def _listing(self, query: Mapping[str, list[str]]) -> None:
        fault = self._next_fault("listing")
        if fault is not None:
            self._say(fault)
            return
        prefix = query["prefix"][0]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            f"<ETag>&quot;{dataset.etag(file)}&quot;</ETag><Size>{len(data)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for openml_id, dataset in self.server.datasets.items()
            for file, data in dataset.files.items()
            if (key := f"{openml_id // 10_000:04d}/{openml_id:04d}/{file}").startswith(prefix)
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>datasets</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>1000</MaxKeys><Delimiter></Delimiter>"
            f"<IsTruncated>false</IsTruncated>{rows}<EncodingType>url</EncodingType></ListBucketResult>"
        )
        self._send(200, {"Content-Type": "application/xml"}, body.encode())

    def _file(self, kind: str, path: str, *, send_body: bool = True) -> None:
        fault = self._next_fault(kind)
        if fault is not None and (fault.hang or fault.body is not None):
            self._say(fault)
            return
        _, _, number, file = unquote(path).strip("/").split("/")
        dataset = self.server.datasets[int(number)]
        if file not in dataset.files:
            self._say(Fault(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml"))
            return
        data, etag = dataset.files[file], f'"{dataset.etag(file)}"'
        if self.headers.get("If-Match") not in (None, etag):
            self._say(Fault(412, b"<Error><Code>PreconditionFailed</Code></Error>", "application/xml"))
            return
        headers = {"ETag": etag, "Last-Modified": formatdate(1_767_000_000, usegmt=True), "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        status = 200
        if wanted and not (fault is not None and fault.ignore_range):
            status, start = 206, int(wanted[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data = data[start:]
        self._send(status, headers, data, fault=fault, send_body=send_body)

    def _say(self, fault: Fault) -> None:
        if not fault.hang:
            self._send(fault.status, {"Content-Type": fault.content_type}, fault.body or b"")

    def _send(
        self, status: int, headers: Mapping[str, str], body: bytes, fault: Fault | None = None, send_body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not send_body:
            return
        try:
            if fault is not None and fault.cut_after is not None:
                self.wfile.write(body[: fault.cut_after])
                self.close_connection = True
            elif fault is not None and fault.stall_after is not None:
                self.wfile.write(body[: fault.stall_after])
                self.wfile.flush()
                self.server.go_on.wait(30)
                self.wfile.write(body[fault.stall_after :])
            elif fault is not None and fault.trickle is not None:
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    self.wfile.flush()
                    if self.server.released.wait(fault.trickle):
                        return
            else:
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def jpeg(seed: int, side: int = 128, mode: str = "RGB") -> bytes:
    """A small random image."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((side, side)).convert(mode).save(out, "JPEG")
    return out.getvalue()


def album_files(num_classes: int = 20, per_class: int = 2, folder: str = "BRD_Micro") -> dict[str, bytes]:
    """The files of a set in the Meta-Album layout, by their name in its archive."""
    rows, files = ["FILE_NAME,CATEGORY,SUPER_CATEGORY"], {}
    for number in range(num_classes * per_class):
        name = f"{number:06d}.JPG"
        rows.append(f"{name},kind{number % num_classes},NAN")
        files[f"{folder}/images/{name}"] = jpeg(number)
    files[f"{folder}/labels.csv"] = "\n".join(rows).encode()
    files[f"{folder}/info.json"] = b'{"dataset_name": "tiny", "image_column_name": "FILE_NAME",}'
    return files


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()
