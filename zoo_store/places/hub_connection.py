"""Questions to one repository on the Hugging Face Hub, through its own client."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zoo_store.places.hub_address import HubAddress
from zoo_store.places.hub_listing import HubFile
from zoo_store.places.hub_refusal import HubRefusal, client_errors, refusal_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

    Operation: TypeAlias = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

_CHANGED_MEANWHILE = (409, 412)
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

    @property
    def endpoint(self) -> str:
        """The URL of the Hub."""
        return self._api.endpoint

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
            if refusal.status == 404 and not self._lacks_revision(refusal):
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

    def download(self, path: str, commit: str, copies: Path, *, again: bool) -> Path:
        """Fetch a file into a folder of copies, where it appears whole; one that is there is fetched only ``again``."""
        with self._asking():
            return Path(
                self._api.hf_hub_download(
                    self.address.repo_id,
                    path,
                    repo_type=self.address.repo_type,
                    revision=commit,
                    cache_dir=copies,
                    force_download=again,
                    etag_timeout=self._timeout,
                )
            )

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

        return HfApi(endpoint=self._endpoint, token=self._token, library_name="supernet-tl")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except client_errors() as error:
            raise refusal_of(error, self.address) from error

    @staticmethod
    def _lacks_revision(refusal: HubRefusal) -> bool:
        from huggingface_hub.errors import RevisionNotFoundError

        return isinstance(refusal.__cause__, RevisionNotFoundError)
