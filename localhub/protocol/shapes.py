"""The JSON the Hub answers with, built from the store's objects.

Only shapes: who may see what and where it comes from is decided before. Field names are those huggingface_hub 2.4
reads in `hf_api.py` (RepoFile, RepoFolder, DatasetInfo, GitRefs, list_repo_commits, whoami).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from localhub.store.accounts import Caller
from localhub.store.commits import Commit
from localhub.store.refs import HEADS, TAGS, Ref
from localhub.store.repos import Repo
from localhub.store.trees import Entry, File

Json = dict[str, Any]


def timestamp(ms: int) -> str:
    """Milliseconds since 1970 as the Hub writes times: `2025-11-25T10:30:00.000Z`."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def account_id(user: str) -> str:
    """24 hex digits for a user, the same every time."""
    return hashlib.sha256(user.encode()).hexdigest()[:24]


def whoami(caller: Caller) -> Json:
    """The answer to /api/whoami-v2."""
    return {
        "type": "user",
        "id": account_id(caller.user),
        "name": caller.user,
        "fullname": caller.user,
        "isPro": False,
        "canPay": False,
        "periodEnd": None,
        "avatarUrl": "",
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": caller.token_name,
                "role": caller.role,
                "createdAt": timestamp(caller.created_ms),
            },
        },
    }


def pointer(sha256: str, size: int) -> bytes:
    """The git-lfs pointer file of a content (git-lfs docs/spec.md); `size` in bytes."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_blob_id(content: bytes) -> str:
    """What git calls a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def regular_file(sha256: str, content: bytes) -> File:
    """A file git itself would hold."""
    return File(sha256=sha256, oid=git_blob_id(content), size=len(content), lfs=False)


def lfs_file(sha256: str, size: int) -> File:
    """A file git would hold a pointer to."""
    return File(sha256=sha256, oid=git_blob_id(pointer(sha256, size)), size=size, lfs=True)


def tree_entry(entry: Entry) -> Json:
    """One line of a tree or paths-info answer."""
    if entry.file is None:
        return {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    shape: Json = {"type": "file", "oid": entry.oid, "size": entry.file.size, "path": entry.path}
    if entry.file.lfs:
        size = entry.file.size
        pointer_size = len(pointer(entry.file.sha256, size))
        shape["lfs"] = {"oid": entry.file.sha256, "size": size, "pointerSize": pointer_size}
    return shape


def last_commit(commit: Commit) -> Json:
    """The `lastCommit` of an expanded tree entry."""
    return {"id": commit.sha, "title": commit.title, "date": timestamp(commit.created_ms)}


def tree(entries: Sequence[Entry], commits: Mapping[int, Commit] | None) -> list[Json]:
    """A page of tree entries, with their last commits if those are given."""
    shapes = [tree_entry(entry) for entry in entries]
    if commits is not None:
        for entry, shape in zip(entries, shapes, strict=True):
            if entry.changed in commits:
                shape["lastCommit"] = last_commit(commits[entry.changed])
            if entry.file is not None:
                shape["securityFileStatus"] = None
    return shapes


def repo_summary(repo: Repo, *, head: Commit, tags: Sequence[str]) -> Json:
    """What lists and infos of a repository have in common."""
    return {
        "_id": repo.public_id,
        "id": repo.full_name,
        "author": repo.namespace,
        "sha": head.sha,
        "lastModified": timestamp(head.created_ms),
        "createdAt": timestamp(repo.created_ms),
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": list(tags),
    }


def refs(items: Sequence[Ref], *, with_pull_requests: bool) -> Json:
    """The answer to …/refs."""

    def shapes(prefix: str) -> list[Json]:
        found = [ref for ref in items if ref.name.startswith(prefix)]
        return [{"name": ref.short_name, "ref": ref.name, "targetCommit": ref.sha} for ref in found]

    answer: Json = {"branches": shapes(HEADS), "converts": [], "tags": shapes(TAGS)}
    if with_pull_requests:
        answer["pullRequests"] = []
    return answer


def history_item(commit: Commit) -> Json:
    """One line of …/commits/{rev}."""
    return {
        "id": commit.sha,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author, "avatar": ""}],
        "date": timestamp(commit.created_ms),
    }
