"""The few things we do with dataset repos on a Hugging Face Hub, each bounded in time and with typed errors."""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final, cast

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    RepoFile,
    constants,
    hf_hub_url,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils.tqdm import disable_progress_bars

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound, HubRefused
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.stores.hub.http import bounded, install

READ_DEADLINE_S: Final = 120.0
COMMIT_DEADLINE_S: Final = 300.0
LEAST_BYTES_PER_S: Final = 250_000
"""A commit has this much longer for what it sends: one that rewrites a whole repo may send gigabytes."""
SQUASH_SILENCE_S: Final = 60.0
"""A whole history is rewritten before the answer comes, and no tick waits for it."""
_KIND: Final = "dataset"
LIBRARY: Final = "crypto-data-hub"


class Hub:
    """One account's datasets on one Hub.

    Args:
        endpoint: URL of the Hub.
        token: token that may write; None reads only. A login cached on disk is never used.
        namespace: account or organisation that owns the datasets; None: the token's own account.
    """

    def __init__(self, endpoint: str, token: str | None, namespace: str | None = None) -> None:
        # Xet needs a server that speaks it, and its transfers know no deadline; plain LFS works everywhere. This
        # constant is read at each call, the environment variable only once, when the library is imported.
        constants.HF_HUB_DISABLE_XET = True
        disable_progress_bars()
        install()
        self.endpoint = endpoint
        self._api = HfApi(endpoint=endpoint, token=token or False, library_name=LIBRARY)
        self._namespace = namespace

    @cached_property
    def namespace(self) -> str:
        """The account that owns the datasets (asks the Hub once unless it was given).

        Raises:
            HubRefused: there is no token to ask with, or the Hub does not know it.
        """
        if self._namespace is not None:
            return self._namespace
        if not self._api.token:
            raise HubRefused(
                f"there is no token for {self.endpoint}; set HF_TOKEN, or start the embedded Hub: datahub up"
            )
        with bounded(deadline_s=READ_DEADLINE_S):
            return str(self._api.whoami()["name"])

    @cached_property
    def _files(self) -> HfFileSystem:
        """It remembers the folders of commits, which never change: of many files each costs one request."""
        return HfFileSystem(endpoint=self.endpoint, token=self._api.token, skip_instance_cache=True)

    def repo_id(self, spec: DatasetSpec) -> str:
        """`account/name` of the dataset's repo."""
        return f"{self.namespace}/{spec.repo_name}"

    def repo_url(self, spec: DatasetSpec) -> str:
        """Where a person looks at the dataset."""
        return f"{self.endpoint}/datasets/{self.repo_id(spec)}"

    def commit_url(self, spec: DatasetSpec, sha: str) -> str:
        """Where a person looks at a commit."""
        return f"{self.repo_url(spec)}/commit/{sha}"

    def create(self, spec: DatasetSpec) -> None:
        """Create the repo, public, unless it exists."""
        with bounded(deadline_s=READ_DEADLINE_S):
            self._api.create_repo(self.repo_id(spec), repo_type=_KIND, private=False, exist_ok=True)

    def head(self, spec: DatasetSpec) -> str:
        """The newest commit of the main branch.

        Raises:
            HubNotFound: there is no such repo.
        """
        with bounded(deadline_s=READ_DEADLINE_S):
            info = self._api.dataset_info(self.repo_id(spec), revision="main", expand=["sha"])
        return str(info.sha)

    def files(self, spec: DatasetSpec, *, revision: str) -> dict[str, HubFile]:
        """All files of a commit by path."""
        with bounded(deadline_s=READ_DEADLINE_S):
            entries = list(
                self._api.list_repo_tree(self.repo_id(spec), recursive=True, revision=revision, repo_type=_KIND)
            )
        return {
            entry.path: HubFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            for entry in entries
            if isinstance(entry, RepoFile)
        }

    def read(self, spec: DatasetSpec, path: str, *, revision: str) -> bytes:
        """Content of one file of a commit, fetched into memory: a process that is killed leaves nothing on the disk.

        A transfer that breaks off goes on where it was.

        Raises:
            HubNotFound: the commit has no such file.
        """
        content = io.BytesIO()
        with bounded(deadline_s=READ_DEADLINE_S):
            url = hf_hub_url(self.repo_id(spec), path, repo_type=_KIND, revision=revision, endpoint=self.endpoint)
            # Not compressed on the way, so that the answer's length is the file's and what is missing is noticed.
            headers = build_hf_headers(
                token=self._api.token, library_name=LIBRARY, headers={"Accept-Encoding": "identity"}
            )
            http_get(url, content, headers=headers)
        return content.getvalue()

    @contextmanager
    def opened(self, spec: DatasetSpec, path: str, *, revision: str) -> Iterator[BinaryIO]:
        """One file of a commit, of which only what is read is fetched.

        Raises:
            HubNotFound: the commit has no such file.
        """
        name = f"datasets/{self.repo_id(spec)}@{revision}/{path}"
        with bounded(deadline_s=READ_DEADLINE_S):
            try:
                file = self._files.open(name, "rb", cache_type="none")
            except FileNotFoundError as error:
                raise HubNotFound(f"{path} at {revision}") from error
            with file:
                yield cast("BinaryIO", file)

    def commit(
        self,
        spec: DatasetSpec,
        *,
        writes: Mapping[str, bytes | Path],
        deletes: Iterable[str],
        message: str,
        description: str = "",
        parent: str,
    ) -> str:
        """Make one atomic commit on top of `parent` and return its sha; a path in `writes` is a file to send.

        Raises:
            HubConflict: `parent` is not the head.        HubBusy: another commit is being applied.
            HubUnavailable: among others after a time-out or a 5xx, when the commit may have landed all the same.
            FileNotFoundError: a file to send is gone.
        """
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *(CommitOperationAdd(path, _as_sent(content)) for path, content in writes.items()),
            *(CommitOperationDelete(path, is_folder=False) for path in deletes),
        ]
        with bounded(deadline_s=COMMIT_DEADLINE_S + sum(map(size_of, writes.values())) / LEAST_BYTES_PER_S):
            info = self._api.create_commit(
                self.repo_id(spec),
                operations,
                commit_message=message,
                commit_description=description,
                repo_type=_KIND,
                revision="main",
                parent_commit=parent,
            )
        return str(info.oid)

    def commit_count(self, spec: DatasetSpec) -> int:
        """How many commits the main branch has. Reads the whole list: not for every tick."""
        with bounded(deadline_s=READ_DEADLINE_S):
            return len(self._api.list_repo_commits(self.repo_id(spec), repo_type=_KIND))

    def tags(self, spec: DatasetSpec) -> set[str]:
        """Names of the tags."""
        with bounded(deadline_s=READ_DEADLINE_S):
            return {tag.name for tag in self._api.list_repo_refs(self.repo_id(spec), repo_type=_KIND).tags}

    def tag(self, spec: DatasetSpec, name: str, *, revision: str, message: str) -> None:
        """Name a commit for good."""
        with bounded(deadline_s=READ_DEADLINE_S):
            self._api.create_tag(self.repo_id(spec), tag=name, tag_message=message, revision=revision, repo_type=_KIND)

    def squash(self, spec: DatasetSpec, *, message: str) -> str:
        """Replace the main branch's history by one commit of the same content and return its sha. Irreversible."""
        with bounded(deadline_s=COMMIT_DEADLINE_S, silence_s=SQUASH_SILENCE_S):
            self._api.super_squash_history(self.repo_id(spec), branch="main", commit_message=message, repo_type=_KIND)
        return self.head(spec)


def size_of(content: bytes | Path) -> int:
    """Bytes of what is sent."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _as_sent(content: bytes | Path) -> BinaryIO | Path:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    content.stat()  # of one that is gone the library says ValueError
    return content
