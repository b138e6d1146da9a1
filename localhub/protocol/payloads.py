"""Reading what clients send: the lines of a commit, the files of a preupload, the objects of an LFS batch.

Each reader returns typed values or raises a 400 `HubError` that names what is wrong; none touches the store.

The commit's line format is the one `_prepare_commit_payload` of huggingface_hub 2.4 (`_commit_api.py`) writes.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from localhub.errors import bad_request
from localhub.names import check_path, check_sha256, shown

MAX_SUMMARY_LENGTH = 2_000
MAX_DESCRIPTION_LENGTH = 100_000


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first line: what the commit says, and the commit it must follow."""

    summary: str
    description: str
    parent: str | None


@dataclass(frozen=True, kw_only=True)
class RegularFile:
    """A file sent whole inside the line."""

    path: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class LfsFile:
    """A file whose content was uploaded before."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """A file, or a folder with all below it, that goes."""

    path: str
    folder: bool


Line = Header | RegularFile | LfsFile | Deletion


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file a client is about to upload: `size` in bytes and its first bytes."""

    path: str
    size: int
    sample: bytes


def read_line(line: bytes) -> Line:
    """One NDJSON line of a commit."""
    item = _object(_json(line), "a commit line")
    key, value = item.get("key"), _object(item.get("value"), "`value`")
    match key:
        case "header":
            return _header(value)
        case "file":
            return RegularFile(path=_path(value), content=_content(value))
        case "lfsFile":
            return LfsFile(path=_path(value), sha256=check_sha256(value.get("oid")))
        case "deletedFile":
            return Deletion(path=_path(value), folder=False)
        case "deletedFolder":
            return Deletion(path=_path(value), folder=True)
        case _:
            raise bad_request(f"Unknown commit line '{shown(str(key))}'")


def read_candidates(body: object) -> list[Candidate]:
    """The `files` of a preupload."""
    files = _list(_object(body, "the body").get("files"), "`files`")
    return [_candidate(_object(item, "a file")) for item in files]


def read_objects(body: object) -> list[tuple[str, int]]:
    """The (SHA-256, size in bytes) of an LFS batch.

    Raises:
        HubError: 400, also for any operation but `upload`: downloads go by `resolve`.
    """
    batch = _object(body, "the body")
    if batch.get("operation") != "upload":
        raise bad_request("Only the LFS operation 'upload' is supported; download from /resolve/")
    if batch.get("hash_algo", "sha256") != "sha256":
        raise bad_request("Only the hash sha256 is supported")
    objects = [_object(item, "an object") for item in _list(batch.get("objects"), "`objects`")]
    return [(check_sha256(item.get("oid")), _size(item)) for item in objects]


def _header(value: dict[str, Any]) -> Header:
    summary, description, parent = value.get("summary"), value.get("description") or "", value.get("parentCommit")
    if not isinstance(summary, str) or not summary.strip():
        raise bad_request("The commit needs a `summary`")
    if not isinstance(description, str) or not (parent is None or isinstance(parent, str)):
        raise bad_request("`description` and `parentCommit` are texts")
    if len(summary) > MAX_SUMMARY_LENGTH or len(description) > MAX_DESCRIPTION_LENGTH:
        raise bad_request("The commit's `summary` or `description` is too long")
    return Header(summary=storable(summary), description=storable(description), parent=parent)


def _content(value: dict[str, Any]) -> bytes:
    content, encoding = value.get("content"), value.get("encoding", "utf-8")
    if not isinstance(content, str):
        raise bad_request("A file's `content` is a text")
    try:
        if encoding == "base64":
            return base64.b64decode(content, validate=True)
        if encoding == "utf-8":
            return content.encode()
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"A file's `content` is not valid {encoding}") from error
    raise bad_request(f"Unknown encoding '{shown(str(encoding))}': base64 or utf-8")


def _candidate(item: dict[str, Any]) -> Candidate:
    sample = item.get("sample", "")
    try:
        decoded = base64.b64decode(sample if isinstance(sample, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request("A file's `sample` is not base64") from error
    return Candidate(path=_path(item), size=_size(item), sample=decoded)


def storable(text: str) -> str:
    """`text` unless it holds lone surrogates, which no UTF-8 store can keep."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request("A text is not valid UTF-8") from error
    return text


def read_json(body: bytes) -> object:
    """A body as JSON.

    Raises:
        HubError: 400 if it is none, is nested too deep, or holds a text that is not valid UTF-8 (a lone surrogate).
    """
    parsed = _json(body)
    if b"\\u" in body:
        storable(json.dumps(parsed, ensure_ascii=False))
    return parsed


def _json(line: bytes) -> object:
    try:
        parsed: object = json.loads(line)  # a number of thousands of digits is a ValueError too
    except (ValueError, RecursionError) as error:
        raise bad_request("The body is not valid JSON") from error
    return parsed


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_request(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad_request(f"{what} is not a list")
    return value


def _path(value: dict[str, Any]) -> str:
    path = value.get("path")
    if not isinstance(path, str):
        raise bad_request("A `path` is a text")
    return check_path(path.rstrip("/") if path.strip("/") else path)


def _size(item: dict[str, Any]) -> int:
    size = item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise bad_request("A `size` is a number of bytes")
    return size
