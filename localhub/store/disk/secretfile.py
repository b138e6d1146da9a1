"""Secrets kept in files only the owner of the process can read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from datahub_system.files.private import checked_file
from datahub_system.files.private import make as make_folder


def secret_in(path: Path, *, make: Callable[[], str]) -> str:
    """The secret in a file, which is first written (mode 600, durably) with `make()` if it is missing.

    Raises:
        ValueError: the file is there and empty.
        UnsafePath: the file is another user's.
    """
    if not path.exists():
        _write(path, make())
    checked_file(path)
    secret = path.read_text().strip()
    if not secret:
        raise ValueError(f"the secret file {path} is empty: delete it to have a new one made")
    return secret


def _write(path: Path, secret: str) -> None:
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike rename, never replaces what another process wrote meanwhile
    except FileExistsError:
        return
    finally:
        draft.unlink()
