"""What a repository, a branch and a path may be called.

Pure checks; each raises a 400 `HubError` that says what is wrong.

Repository names follow the rules huggingface_hub documents in `utils/_validators.py`; refs follow `git check-ref-
format`.
"""

import re
import unicodedata

from localhub.errors import bad_request

KINDS = ("model", "dataset", "space")
DEFAULT_BRANCH = "main"
MAX_NAME_LENGTH = 96
MAX_PATH_BYTES = 1024
MAX_SEGMENT_BYTES = 255  # a longer one could not be checked out by any client
MAX_REF_BYTES = 200
MAX_SHOWN = 80

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f ~^:?*\[\\]|\.\.|@\{|//")
_RESERVED_NAMESPACES = frozenset({"api", "models", "datasets", "spaces", "docs", "settings", "lfs", "xet"})


def shown(value: str) -> str:
    """`value` as it may be repeated in an error: printable ASCII, cut to `MAX_SHOWN` characters."""
    printable = ascii(value)[1:-1]
    return printable if len(printable) <= MAX_SHOWN else f"{printable[: MAX_SHOWN - 3]}..."


def check_name(name: str) -> str:
    """A user or repository name, unchanged.

    Raises:
        HubError: 400, with the rule it breaks.
    """
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid name '{shown(name)}': 1 to {MAX_NAME_LENGTH} characters out of A-Z a-z 0-9 - _ . "
            "and neither - nor . at either end"
        )
    if "--" in name or ".." in name or name.endswith(".git"):
        raise bad_request(f"Invalid name '{shown(name)}': it may not contain '--' or '..' nor end in '.git'")
    return name


def check_namespace(name: str) -> str:
    """A user name, which is also a namespace and so may not be a word of the URL scheme."""
    if check_name(name).lower() in _RESERVED_NAMESPACES:
        raise bad_request(f"Invalid name '{name}': it is reserved")
    return name


def check_kind(kind: str) -> str:
    """One of `KINDS`, unchanged."""
    if kind not in KINDS:
        raise bad_request(f"Invalid repository type '{shown(kind)}': one of {', '.join(KINDS)}")
    return kind


def check_path(path: str) -> str:
    """The path of a file or folder inside a repository, relative, `/`-separated, in the form it is stored.

    Raises:
        HubError: 400 for an absolute path, `.`/`..`/empty segments, control characters, `.git`, too long, not UTF-8.
    """
    fault = _path_fault(path)
    if fault is not None:
        raise bad_request(f"Invalid path '{shown(path)}': {fault}")
    return path


def _path_fault(path: str) -> str | None:
    try:
        too_long = len(path.encode()) > MAX_PATH_BYTES
    except UnicodeEncodeError:
        return "it is not valid UTF-8"
    if too_long:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    if path.startswith("/"):
        return "it is absolute"
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "it holds control characters"
    faults = (_segment_fault(segment) for segment in path.split("/"))
    return next((fault for fault in faults if fault is not None), None)


def _segment_fault(segment: str) -> str | None:
    if segment in {"", ".", ".."}:
        return f"'{segment}' is not a file or folder name"
    if segment.lower() == ".git":
        return "files under .git cannot be changed"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"one of its parts is longer than {MAX_SEGMENT_BYTES} bytes"
    return None


def check_ref(name: str) -> str:
    """A branch or tag name without `refs/…/`, unchanged."""
    if not _is_ref(name):
        raise bad_request(f"Invalid reference name '{shown(name)}'")
    if is_sha(name):
        raise bad_request(f"Invalid reference name '{name}': it looks like a commit")
    return name


def _is_ref(name: str) -> bool:
    if not name or not name.isprintable() or len(name.encode(errors="replace")) > MAX_REF_BYTES:
        return False
    if _REF_FORBIDDEN.search(name) or name.startswith(("refs/", "-", "/")) or name.endswith(("/", ".")):
        return False
    return all(not part.startswith(".") and not part.endswith(".lock") for part in name.split("/"))


def check_sha256(oid: object) -> str:
    """A lower-case SHA-256 in hex, unchanged."""
    if not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise bad_request(f"Invalid object id '{shown(str(oid))}': 64 lower-case hexadecimal digits")
    return oid


def is_sha(text: str) -> bool:
    """Whether this is a whole commit id."""
    return _SHA.fullmatch(text) is not None


def is_short_sha(text: str) -> bool:
    """Whether this may be the beginning of a commit id (7 to 40 hex digits)."""
    return _SHORT_SHA.fullmatch(text) is not None
