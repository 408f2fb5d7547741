"""A stand-in of the Hugging Face Hub on loopback: the part of its HTTP API that its own client calls for a zoo.

Commits, trees and large files are kept as the Hub keeps them: git names of blobs, large files apart under their SHA-256
and sent from another origin, to which no token may go. ``fail`` makes it misbehave.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml
from flask import Flask, Request, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

MAIN = "main"
OWNER_TOKEN, READ_TOKEN, STRANGER_TOKEN = "hf_owner", "hf_read", "hf_stranger"
PAGE_SIZE = 7
Tree = dict[str, "Blob"]
Fault = Callable[[], Response | None]


@dataclass(frozen=True)
class Blob:
    """A file; one that is large is known to git by a pointer."""

    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n"
        data = pointer.encode() if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()

    def info(self, path: str) -> dict[str, Any]:
        lfs = {"lfs": {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}} if self.lfs else {}
        return {"type": "file", "path": path, "size": len(self.data), "oid": self.oid, **lfs}


@dataclass
class Repository:
    """Commits by name; ``main`` points at the newest."""

    private: bool
    gated: bool = False
    commits: dict[str, Tree] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    main: str = ""

    def commit(self, tree: Tree, message: str) -> str:
        content = json.dumps([self.main, message, sorted((path, blob.oid) for path, blob in tree.items())])
        self.main = hashlib.sha1(content.encode()).hexdigest()
        self.commits[self.main] = tree
        self.messages.append(message)
        return self.main

    @property
    def tree(self) -> Tree:
        return self.commits[self.main]


class Refused(HTTPException):
    """An answer as the Hub gives it: the code in a header tells its client which error it is."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        response = jsonify(error=message)
        response.status_code = status
        response.headers["X-Error-Message"] = message
        if code:
            response.headers["X-Error-Code"] = code
        super().__init__(response=response)


class HubServer:
    """The Hub, with one owner ``me`` and a large-file rule for ``*.safetensors`` unless ``lfs`` is False."""

    def __init__(self, *, lfs: bool = True) -> None:
        self.lfs = lfs
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[str] = []
        self.leaked_tokens: list[str] = []
        self.released = threading.Event()
        self.half_sent = threading.Event()
        self._large: dict[str, bytes] = {}
        self._faults: list[tuple[re.Pattern[str], Fault, list[int]]] = []
        self._lock = threading.RLock()
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True, request_handler=_QuietHandler)
        self.port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def repository(self, repo_id: str = "me/zoo", kind: str = "models") -> Repository:
        return self.repositories[kind, repo_id]

    def rewrite(self, changes: dict[str, bytes | None], repo_id: str = "me/zoo") -> None:
        """Commit as somebody else's program would: any path, any bytes; None deletes."""
        with self._lock:
            repository = self.repository(repo_id)
            tree = dict(repository.tree)
            for path, data in changes.items():
                if data is None:
                    del tree[path]
                else:
                    tree[path] = Blob(data, self._is_large(path))
            repository.commit(tree, "by hand")

    # -- faults -------------------------------------------------------------------------------------------------------

    def fail(self, pattern: str, fault: Fault, times: int = 1) -> None:
        """Let requests whose method and path match go through ``fault`` first, which may answer them."""
        self._faults.append((re.compile(pattern), fault, [times]))

    def status(self, code: int, message: str = "as the test asks") -> Fault:
        def answer() -> Response | None:
            raise Refused(code, message)

        return answer

    def hang(self) -> Response | None:
        """Say nothing until the server is closed."""
        self.released.wait()
        return None

    def send_half_and(self, then: Callable[[], object]) -> Fault:
        """Promise the whole file and send half of it; what follows is up to ``then``, and after it the end."""

        def answer() -> Response:
            blob = self._requested_blob()

            def body() -> Iterator[bytes]:
                yield blob.data[: len(blob.data) // 2]
                self.half_sent.set()
                then()

            return Response(body(), headers={"Content-Length": str(len(blob.data))})

        return answer

    def send_altered(self) -> Response:
        """The right number of bytes, one of them wrong."""
        blob = self._requested_blob()
        return Response(bytes([blob.data[0] ^ 1]) + blob.data[1:])

    def _requested_blob(self) -> Blob:
        if request.path.startswith("/cdn/"):
            return Blob(self._large[request.path.removeprefix("/cdn/")], lfs=True)
        found = re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path)
        assert found is not None
        return self.repositories[found[1] or "models", found[2]].commits[found[3]][found[4]]

    # -- the API ------------------------------------------------------------------------------------------------------

    def _app(self) -> Flask:
        app = Flask("hub")
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.before_request(self._before)
        api = "/api/<any(models,datasets):kind>/<owner>/<name>"
        for rule, method, view in (
            ("/api/repos/create", "POST", self._create),
            ("/api/validate-yaml", "POST", self._validate_yaml),
            (api, "GET", self._info),
            (f"{api}/revision/<revision>", "GET", self._info),
            (f"{api}/tree/<revision>", "GET", self._tree),
            (f"{api}/paths-info/<revision>", "POST", self._paths_info),
            (f"{api}/preupload/<revision>", "POST", self._preupload),
            (f"{api}/commit/<revision>", "POST", self._commit),
            ("/<any(datasets):kind>/<owner>/<name>.git/info/lfs/objects/batch", "POST", self._lfs_batch),
            ("/<owner>/<name>.git/info/lfs/objects/batch", "POST", self._lfs_batch),
            ("/lfs/<oid>", "PUT", self._lfs_upload),
            ("/lfs/<oid>/verify", "POST", self._lfs_verify),
            ("/<any(datasets):kind>/<owner>/<name>/resolve/<revision>/<path:path>", "GET", self._resolve),
            ("/<owner>/<name>/resolve/<revision>/<path:path>", "GET", self._resolve),
            ("/cdn/<oid>", "GET", self._cdn),
        ):
            app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])
        return app

    def _before(self) -> Response | None:
        line = f"{request.method} {request.path}"
        with self._lock:
            self.requests.append(line)
            due = [fault for pattern, fault, left in self._faults if pattern.search(line) and _take_one(left)]
        for fault in due:
            if (answer := fault()) is not None:
                return answer
        return None

    def _user(self) -> str | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in ("", OWNER_TOKEN, READ_TOKEN, STRANGER_TOKEN):
            raise Refused(401, "Invalid credentials in Authorization header")
        return token or None

    def _visible(self, kind: str, owner: str, name: str) -> Repository:
        user = self._user()
        repository = self.repositories.get((kind, f"{owner}/{name}"))
        if repository is None or (repository.private and user not in (OWNER_TOKEN, READ_TOKEN)):
            raise Refused(401 if user is None else 404, "Repository not found", "RepoNotFound")
        if repository.gated and user != OWNER_TOKEN:
            raise Refused(403, "Access to this repository is restricted", "GatedRepo")
        return repository

    def _writable(self, kind: str, owner: str, name: str) -> Repository:
        repository = self._visible(kind, owner, name)
        if self._user() != OWNER_TOKEN:
            raise Refused(403, "You have read access but not the required permissions for this operation")
        return repository

    def _at(self, repository: Repository, revision: str) -> tuple[str, Tree]:
        commit = repository.main if revision == MAIN else revision
        if commit not in repository.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit, repository.commits[commit]

    def _create(self) -> Response:
        body = request.get_json()
        kind = f"{body.get('type') or 'model'}s"
        repo_id = f"{body['organization']}/{body['name']}"
        user = self._user()
        if user is None:
            raise Refused(401, "Invalid username or password.")
        if user != OWNER_TOKEN or body["organization"] != "me":
            raise Refused(403, f"You don't have the rights to create a {kind[:-1]} under the namespace")
        with self._lock:
            if (kind, repo_id) in self.repositories:
                answer = jsonify(error="You already created this repo", url=f"{self.endpoint}/{repo_id}")
                answer.status_code = 409
                return answer
            repository = Repository(private=body.get("visibility", "public") == "private")
            repository.commit({".gitattributes": Blob(b"*.safetensors filter=lfs\n", lfs=False)}, "initial commit")
            self.repositories[kind, repo_id] = repository
        return jsonify(url=f"{self.endpoint}/{repo_id}")

    def _validate_yaml(self) -> Response:
        front = request.get_json()["content"].split("---\n")
        if len(front) < 3 or not isinstance(yaml.safe_load(front[1]), dict):
            answer = jsonify(errors=[{"message": "no metadata"}], warnings=[])
            answer.status_code = 400
            return answer
        return jsonify(errors=[], warnings=[])

    def _info(self, kind: str, owner: str, name: str, revision: str = MAIN) -> Response:
        repository = self._visible(kind, owner, name)
        commit, tree = self._at(repository, revision)
        info: dict[str, Any] = {"_id": "0", "id": f"{owner}/{name}"}
        everything = {"sha": commit, "private": repository.private, "siblings": [{"rfilename": path} for path in tree]}
        expand = request.args.getlist("expand")
        return jsonify(info | {key: value for key, value in everything.items() if not expand or key in expand})

    def _tree(self, kind: str, owner: str, name: str, revision: str) -> Response:
        _, tree = self._at(self._visible(kind, owner, name), revision)
        folders = sorted({path[:at] for path in tree for at in range(len(path)) if path[at] == "/"})
        items = [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
        items += [blob.info(path) for path, blob in sorted(tree.items())]
        start = int(request.args.get("cursor", 0))
        answer = jsonify(items[start : start + PAGE_SIZE])
        if start + PAGE_SIZE < len(items):
            following = f"{self.endpoint}{request.path}?recursive=True&cursor={start + PAGE_SIZE}"
            answer.headers["Link"] = f'<{following}>; rel="next"'
        return answer

    def _paths_info(self, kind: str, owner: str, name: str, revision: str) -> Response:
        _, tree = self._at(self._visible(kind, owner, name), revision)
        return jsonify([tree[path].info(path) for path in request.form.getlist("paths") if path in tree])

    def _preupload(self, kind: str, owner: str, name: str, revision: str) -> Response:
        _, tree = self._at(self._writable(kind, owner, name), revision)
        body = request.get_json()
        ignored = body.get("gitIgnore") or (tree[".gitignore"].data.decode() if ".gitignore" in tree else "")
        return jsonify(
            files=[
                {
                    "path": path,
                    "uploadMode": "lfs" if self._is_large(path) else "regular",
                    "shouldIgnore": path.rpartition("/")[2] in ignored.splitlines(),
                    "oid": tree[path].oid if path in tree else None,
                }
                for path in (file["path"] for file in body["files"])
            ]
        )

    def _commit(self, kind: str, owner: str, name: str, revision: str) -> Response:
        repository = self._writable(kind, owner, name)
        lines = [json.loads(line) for line in request.get_data().splitlines()]
        header = lines[0]["value"]
        with self._lock:
            commit, tree = self._at(repository, revision)
            if header.get("parentCommit", commit) != commit:
                raise Refused(412, "A commit has happened since. Please refresh and try again.")
            tree = dict(tree)
            for line in lines[1:]:
                self._apply(line["key"], line["value"], tree)
            oid = repository.commit(tree, header["summary"])
        return jsonify(success=True, commitOid=oid, commitUrl=f"{self.endpoint}/{owner}/{name}/commit/{oid}")

    def _apply(self, key: str, value: dict[str, Any], tree: Tree) -> None:
        path = value["path"]
        if key == "file":
            tree[path] = Blob(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            if value["oid"] not in self._large:
                raise Refused(400, f"Your push was rejected: LFS pointer {value['oid']} is not uploaded")
            tree[path] = Blob(self._large[value["oid"]], lfs=True)
        else:
            gone = [name for name in tree if name == path or (key == "deletedFolder" and name.startswith(path))]
            if not gone:
                raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
            for name in gone:
                del tree[name]

    def _lfs_batch(self, owner: str, name: str, kind: str = "models") -> Response:
        self._writable(kind, owner, name)
        objects = []
        for item in request.get_json()["objects"]:
            url = f"{self.endpoint}/lfs/{item['oid']}"
            actions = {"upload": {"href": url}, "verify": {"href": f"{url}/verify"}}
            objects.append(item if item["oid"] in self._large else {**item, "actions": actions})
        return jsonify(transfer="basic", objects=objects)

    def _lfs_upload(self, oid: str) -> Response:
        data = request.get_data()
        if hashlib.sha256(data).hexdigest() != oid:
            raise Refused(400, "not the content that was announced")
        self._large[oid] = data
        return Response()

    def _lfs_verify(self, oid: str) -> Response:
        if len(self._large.get(oid, b"")) != request.get_json()["size"]:
            raise Refused(422, "not uploaded")
        return jsonify()

    def _resolve(self, owner: str, name: str, revision: str, path: str, kind: str = "models") -> Response:
        commit, tree = self._at(self._visible(kind, owner, name), revision)
        if path not in tree:
            raise Refused(404, "Entry not found", "EntryNotFound")
        blob = tree[path]
        if blob.lfs:
            self._large.setdefault(blob.sha256, blob.data)
            answer = Response(status=302, headers={"Location": f"http://localhost:{self.port}/cdn/{blob.sha256}"})
            answer.headers["X-Linked-Etag"] = f'"{blob.sha256}"'
            answer.headers["X-Linked-Size"] = str(len(blob.data))
        else:
            answer = _partial(blob.data, request)
        answer.headers["ETag"] = f'"{blob.oid}"'
        answer.headers["X-Repo-Commit"] = commit
        return answer

    def _cdn(self, oid: str) -> Response:
        if "Authorization" in request.headers:
            self.leaked_tokens.append(request.path)
        return _partial(self._large[oid], request)

    def _is_large(self, path: str) -> bool:
        return self.lfs and path.endswith(".safetensors")


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: ``HubServer.requests`` has it."""


def _partial(data: bytes, asked: Request) -> Response:
    answer = Response(data)
    answer.make_conditional(asked, accept_ranges=True, complete_length=len(data))
    return answer


def _take_one(left: list[int]) -> bool:
    left[0] -= 1
    return left[0] >= 0
