"""Secrets kept in files only the owner of the process can read. What they are good for is not known here."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def secret_in(path: Path, *, make: Callable[[], str]) -> str:
    """The secret in a file, which is first written (mode 600, durably) with `make()` if it is missing.

    Raises:
        ValueError: the file is there and empty.
    """
    if not path.exists():
        _write(path, make())
    secret = path.read_text().strip()
    if not secret:
        raise ValueError(f"the secret file {path} is empty: delete it to have a new one made")
    return secret


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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
