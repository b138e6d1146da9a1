"""What a repository holds, asked through the real client and narrowed to the types a test means."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile, RepoFolder


def contents(api: HfApi, repo: str, revision: str = "main") -> dict[str, bytes]:
    """Path -> bytes, downloaded one by one; files that begin with a dot are left out."""
    names = [name for name in api.list_repo_files(repo, repo_type="dataset", revision=revision) if name[0] != "."]
    paths = {n: api.hf_hub_download(repo, n, repo_type="dataset", revision=revision) for n in names}
    return {name: Path(path).read_bytes() for name, path in paths.items()}


def tree(
    api: HfApi, repo: str, folder: str | None = None, *, recursive: bool = False, revision: str = "main"
) -> dict[str, RepoFile | RepoFolder]:
    """Path -> entry with its last commit."""
    entries = api.list_repo_tree(repo, folder, recursive=recursive, expand=True, revision=revision, repo_type="dataset")
    return {entry.path: entry for entry in entries}


def file_at(api: HfApi, repo: str, path: str, revision: str = "main") -> RepoFile:
    """The file at a path."""
    (entry,) = api.get_paths_info(repo, path, expand=True, revision=revision, repo_type="dataset")
    assert isinstance(entry, RepoFile)
    return entry


def lfs_size(api: HfApi, repo: str, path: str) -> int | None:
    """The size in bytes of an LFS file, None for a regular one."""
    lfs = file_at(api, repo, path).lfs
    return None if lfs is None else lfs.size


def last_commit(api: HfApi, repo: str, path: str, revision: str = "main") -> str:
    """The commit that last changed a file."""
    last = file_at(api, repo, path, revision).last_commit
    assert last is not None
    return last.oid


def head(api: HfApi, repo: str, revision: str = "main") -> str:
    """The newest commit."""
    return api.list_repo_commits(repo, repo_type="dataset", revision=revision)[0].commit_id


def shas(api: HfApi, repo: str, revision: str = "main") -> list[str]:
    """Newest first."""
    return [one.commit_id for one in api.list_repo_commits(repo, repo_type="dataset", revision=revision)]


def tags(api: HfApi, repo: str) -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in api.list_repo_refs(repo, repo_type="dataset").tags}
