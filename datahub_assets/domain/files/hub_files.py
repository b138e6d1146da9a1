"""A file of a dataset repo on a Hub, and the ids a Hub gives commits and contents.

A content is named by the SHA-256 of its bytes (64 hex digits) when it lies in large file storage, and by git's blob
SHA-1 (40 hex digits) when git itself keeps it. A Hub's tree gives them as `lfs.oid` and `oid`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

FULL_SHA: Final = re.compile(r"[0-9a-f]{40}")
"""The whole id of a commit, as opposed to a branch, a tag or a short id."""
CONTENT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit: where it lies, its size in bytes and the id of its content."""

    path: str
    size: int
    content_id: str


def content_hash(content_id: str, *, size: int) -> "hashlib._Hash":
    """The hash whose hex digest is this id, once it is fed the content, which has `size` bytes."""
    if len(content_id) == _SHA256_DIGITS:
        return hashlib.sha256()
    # git names a blob by the sha1 of this header and its bytes; nothing here relies on sha1 against an attacker.
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def is_content(content: bytes, *, content_id: str) -> bool:
    """Whether this id is that of this content."""
    digest = content_hash(content_id, size=len(content))
    digest.update(content)
    return digest.hexdigest() == content_id


def lfs_content_id(content: bytes) -> str:
    """The id this content has in large file storage."""
    return hashlib.sha256(content).hexdigest()
