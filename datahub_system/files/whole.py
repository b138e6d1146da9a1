"""Write a file whole: who reads it finds all of it or what was there before, after a crash and a power cut too."""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}
"""What an `OSError` says of a disk that has no room for it."""


def write_whole(target: Path, write: Callable[[BinaryIO], object], *, by_several: bool = False) -> None:
    """Write a file beside `target`, then put it in its place; once this returns, no crash and no power cut loses it.

    What a process that is killed leaves beside it ends in `.partial`.

    Args:
        write: writes the content.
        by_several: whether others may write the same file meanwhile; the last one stays then.

    Raises:
        OSError: it could not be written; nothing is left of it. What else `write` raises comes through in the same way.
    """
    ending = f".{secrets.token_hex(4)}.partial" if by_several else ".partial"
    partial = target.with_name(f"{target.name}{ending}")
    try:
        _write_durably(partial, write)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename durable: the entry of a new name lives in the folder, not in the file.

    Raises:
        OSError: it is not there, or the disk failed.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
