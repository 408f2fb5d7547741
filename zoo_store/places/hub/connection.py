"""Questions to one repository on the Hugging Face Hub, through its own client."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zoo_store.environment import cache_dir
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.hub.listing import HubFile
from zoo_store.places.hub.refusal import HubRefusal, client_errors, refusal_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

    Operation: TypeAlias = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

_CHANGED_MEANWHILE = (409, 412)
_PARTIAL_CONTENT = 206
_FETCH_SECONDS = 10.0  # between two pieces of an answer
_FETCH_RETRIES = 2
_LIBRARY = "supernet-tl"
_EVERY_FILE = "# every file of an entry is committed\n"


class HubConnection:
    """One repository. Whatever keeps the Hub from answering is raised as `HubRefusal`.

    Args:
        address: of the repository.
        token: None for that of ``hf auth login`` or ``HF_TOKEN``, False for none.
        endpoint: None for that of ``HF_ENDPOINT``, or else of the public Hub.
        timeout: seconds to wait for an answer to a small question.
    """

    def __init__(self, address: HubAddress, token: str | bool | None, endpoint: str | None, timeout: float) -> None:
        self.address = address
        self._token = token
        self._endpoint = endpoint
        self._timeout = timeout

    @cached_property
    def folder(self) -> Path:
        """Where this machine keeps what it knows of the repository, whatever the revision."""
        endpoint = hashlib.sha256(self._api.endpoint.encode()).hexdigest()[:12]
        return cache_dir() / "hub" / endpoint / f"{self.address.repo_type}--{self.address.repo_id.replace('/', '--')}"

    def latest(self) -> str | None:
        """The commit that the address stands for now; None where there is no such repository."""
        try:
            with self._asking():
                info = self._api.repo_info(
                    self.address.repo_id,
                    repo_type=self.address.repo_type,
                    revision=self.address.revision,
                    timeout=self._timeout,
                    expand="sha",
                )
        except HubRefusal as refusal:
            if refusal.status == 404 and _is_of_repository(refusal):
                return None
            raise
        return info.sha

    def files(self, commit: str) -> dict[str, HubFile]:
        """All files at a commit, by path."""
        from huggingface_hub.hf_api import RepoFile

        with self._asking():
            tree = self._api.list_repo_tree(
                self.address.repo_id, recursive=True, revision=commit, repo_type=self.address.repo_type
            )
            return {
                item.path: HubFile(item.size, item.blob_id, item.lfs.sha256 if item.lfs is not None else None)
                for item in tree
                if isinstance(item, RepoFile)
            }

    def fetch(self, path: str, commit: str, size: int, start: int, stop: int) -> bytes:
        """The bytes of a file of this ``size`` at a commit, from one position up to another; none beyond its end."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, though not marked as exported
            build_hf_headers,
            hf_raise_for_status,
            http_backoff,
        )

        if start >= size:
            return b""
        headers = {"Range": f"bytes={start}-{min(stop, size) - 1}", "Accept-Encoding": "identity"}
        with self._asking():
            url = hf_hub_url(
                self.address.repo_id,
                path,
                repo_type=self.address.repo_type,
                revision=commit,
                endpoint=self._api.endpoint,
            )
            answer = http_backoff(
                "GET",
                url,
                max_retries=_FETCH_RETRIES,
                headers=build_hf_headers(token=self._token, library_name=_LIBRARY, headers=headers),
                timeout=_FETCH_SECONDS,
            )
            hf_raise_for_status(answer)
            data: bytes = answer.content
        return data if answer.status_code == _PARTIAL_CONTENT else data[start:stop]

    def create(self, *, private: bool) -> None:
        """Make the repository; one that is there is left as it is."""
        with self._asking():
            self._api.create_repo(
                self.address.repo_id, repo_type=self.address.repo_type, private=private, exist_ok=True
            )

    def upload(self, additions: "Sequence[CommitOperationAdd]") -> None:
        """Send the large ones of these files, which a `commit` then makes visible."""
        with self._asking():
            self._api.preupload_lfs_files(
                self.address.repo_id,
                additions,
                repo_type=self.address.repo_type,
                revision=self.address.revision,
                gitignore_content=_EVERY_FILE,  # else that of the repository would leave files out, silently
            )

    def commit(self, operations: "Sequence[Operation]", message: str, parent: str) -> bool:
        """Change the repository at once; False when it is no longer at the commit ``parent``, and nothing changed."""
        try:
            with self._asking():
                self._api.create_commit(
                    self.address.repo_id,
                    operations,
                    commit_message=message,
                    repo_type=self.address.repo_type,
                    revision=self.address.revision,
                    parent_commit=parent,
                )
        except HubRefusal as refusal:
            if refusal.status in _CHANGED_MEANWHILE:
                return False
            raise
        return True

    @cached_property
    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi(endpoint=self._endpoint, token=self._token, library_name=_LIBRARY)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except client_errors() as error:
            raise refusal_of(error, self.address) from error


def _is_of_repository(refusal: HubRefusal) -> bool:
    """Whether it is the repository that the Hub did not find, rather than a revision, or that there is no Hub."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    cause = refusal.__cause__
    return isinstance(cause, RepositoryNotFoundError) and not isinstance(cause, GatedRepoError)
