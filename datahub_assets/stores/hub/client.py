"""The few things we do with dataset repos on a Hugging Face Hub, each bounded in time and with typed errors."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
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
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.lfs import UploadInfo
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils.tqdm import disable_progress_bars

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentGone, HubNotFound, HubRefused
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.stores.hub.http import bounded, install
from datahub_assets.stores.hub.rights import TokenRights, told

READ_DEADLINE_S: Final = 120.0
COMMIT_DEADLINE_S: Final = 300.0
LEAST_BYTES_PER_S: Final = 250_000
"""A commit has this much longer for what it sends: one that rewrites a whole repo may send gigabytes."""
SQUASH_SILENCE_S: Final = 60.0
"""A whole history is rewritten before the answer comes, and no tick waits for it."""
_DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
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

    def rights(self) -> TokenRights:
        """Whose the token is and what it may do. Of all calls the Hub limits this one hardest.

        Raises:
            HubRefused: the Hub does not know it.
        """
        with bounded(deadline_s=READ_DEADLINE_S):
            return told(self._api.whoami())

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
        with self._writes(spec), bounded(deadline_s=READ_DEADLINE_S):
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

        Raises:
            HubNotFound: the commit has no such file.
        """
        content = io.BytesIO()
        self.download(spec, path, revision=revision, target=content)
        return content.getvalue()

    def download(self, spec: DatasetSpec, path: str, *, revision: str, target: BinaryIO) -> None:
        """Write one file of a commit to `target`. A transfer that breaks off goes on where it was.

        Raises:
            HubNotFound: the commit has no such file.
        """
        with bounded(deadline_s=READ_DEADLINE_S):
            url = hf_hub_url(self.repo_id(spec), path, repo_type=_KIND, revision=revision, endpoint=self.endpoint)
            # Not compressed on the way, so that the answer's length is the file's and what is missing is noticed.
            headers = build_hf_headers(
                token=self._api.token, library_name=LIBRARY, headers={"Accept-Encoding": "identity"}
            )
            http_get(url, target, headers=headers)

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
        uploaded: Iterable[HubFile] = (),
        deletes: Iterable[str],
        message: str,
        description: str = "",
        parent: str,
    ) -> str:
        """Make one atomic commit on top of `parent` and return its sha.

        Args:
            writes: content by path; a path on the disk is a file to send.
            uploaded: files whose content `upload` has brought.

        Raises:
            HubContentGone: content of an uploaded file is not there any more, or was never.
            HubConflict: `parent` is not the head.        HubBusy: another commit is being applied.
            HubUnavailable: among others after a time-out or a 5xx, when the commit may have landed all the same.
            FileNotFoundError: a file to send is gone.
        """
        there = [_there(file) for file in uploaded]
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *there,
            *(CommitOperationAdd(path, _as_sent(content)) for path, content in writes.items()),
            *(CommitOperationDelete(path, is_folder=False) for path in deletes),
        ]
        limit_s = COMMIT_DEADLINE_S + sum(map(size_of, writes.values())) / LEAST_BYTES_PER_S
        with self._writes(spec), _gone_content_told(there), bounded(deadline_s=limit_s):
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

    def upload(self, spec: DatasetSpec, files: Mapping[str, Path]) -> None:
        """Bring the content of these files, by their paths in the repo, for a commit that names it later.

        A Hub drops content that no commit names: huggingface.co after about a day, the embedded one after an hour.

        Raises:
            HubRefused: the Hub would keep a file in git, where only a commit can bring it.
        """
        additions = [CommitOperationAdd(path, file) for path, file in files.items()]
        size = sum(map(size_of, files.values()))
        with self._writes(spec), bounded(deadline_s=COMMIT_DEADLINE_S + size / LEAST_BYTES_PER_S):
            self._api.preupload_lfs_files(self.repo_id(spec), additions, repo_type=_KIND, revision="main")
        if left := [one.path_in_repo for one in additions if not one._is_uploaded]:  # noqa: SLF001 - see `_there`
            raise HubRefused(f"{self.endpoint} takes no content beforehand for {', '.join(left[:5])}")

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
        with self._writes(spec), bounded(deadline_s=READ_DEADLINE_S):
            self._api.create_tag(self.repo_id(spec), tag=name, tag_message=message, revision=revision, repo_type=_KIND)

    def squash(self, spec: DatasetSpec, *, message: str) -> str:
        """Replace the main branch's history by one commit of the same content and return its sha. Irreversible."""
        with self._writes(spec), bounded(deadline_s=COMMIT_DEADLINE_S, silence_s=SQUASH_SILENCE_S):
            self._api.super_squash_history(self.repo_id(spec), branch="main", commit_message=message, repo_type=_KIND)
        return self.head(spec)

    @contextmanager
    def _writes(self, spec: DatasetSpec) -> Iterator[None]:
        """A refusal by the token's rights names the repo: the Hub's own words may not."""
        try:
            yield
        except HubRefused as error:
            cause = error.__cause__
            if isinstance(cause, HfHubHTTPError) and cause.response.status_code in _DENIED:
                raise HubRefused(
                    f"the token may not write to {self.repo_id(spec)} on {self.endpoint}: {error}"
                ) from cause
            raise


@contextmanager
def _gone_content_told(there: Sequence[CommitOperationAdd]) -> Iterator[None]:
    """A commit of content that is not there is a bad request to the Hub: of all others we make none."""
    try:
        yield
    except HubRefused as error:
        cause = error.__cause__
        if there and isinstance(cause, HfHubHTTPError) and cause.response.status_code == HTTPStatus.BAD_REQUEST:
            raise HubContentGone(str(error)) from error
        raise


def _there(file: HubFile) -> CommitOperationAdd:
    """The operation that adds a file whose content the Hub has: as the library leaves one it has uploaded.

    It has no public way to make one where the content itself is elsewhere (huggingface_hub 2.4, `_commit_api.py`).
    """
    operation = CommitOperationAdd(file.path, b"")
    operation.upload_info = UploadInfo(size=file.size, sample=b"", sha256=bytes.fromhex(file.content_id))
    operation._upload_mode = "lfs"  # noqa: SLF001
    operation._should_ignore = False  # noqa: SLF001
    operation._is_uploaded = True  # noqa: SLF001
    return operation


def size_of(content: bytes | Path) -> int:
    """Bytes of what is sent."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _as_sent(content: bytes | Path) -> BinaryIO | Path:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    content.stat()  # of one that is gone the library says ValueError
    return content
