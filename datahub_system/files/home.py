"""The folder DATAHUB_HOME names: made for its user alone, and looked at before anything is kept in it.

A home this product makes has mode 700, and so has one that was there already, belongs to this user and holds nothing
but what this product keeps. It is closed anew at each start: to give the data to others there is the API, and the files
below are of mode 600 anyway. A folder that also holds other things is somebody's folder first (`/`, `/srv`, a home
directory): its mode is not changed, and what others can do there is told.

A home of another user is refused, also to root: its owner could read the tokens, and replace files root writes to. One
of root's is accepted, as the volumes of a container are root's.
"""

import re
import stat
from pathlib import Path

from datahub_system.files.private import (
    UnsafePath,
    check_folder,
    check_link,
    checked_mode,
    is_own,
    make,
    others_can_read,
    others_can_write,
    private_folder,
    user_name,
)

_KEPT = re.compile(
    r"token|hub|dagster|landing|rewritten|snapshots|logs|run|run\.path|up\.lock|public-repos\.json"
    r"|client-tokens\.json(\.partial)?"
    r"|(cache\.sqlite3|worker-status)[.-].*|cache\.sqlite3|\.writable"
)
"""Names of what the product keeps at the top of its home."""


def open_home(path: Path) -> list[str]:
    """Make the home or see that it is fit; returns what a person should know, one line each.

    Raises:
        UnsafePath: it belongs to another user, a link to it does, or others can replace what is kept there.
        OSError: it cannot be made.
    """
    made = make(path)
    check_link(path)
    before = checked_mode(path.resolve())
    mode = private_folder(path) if made or _is_only_home(path) else _checked_as_it_is(path)
    notes = []
    if others_can_read(before) and not others_can_read(mode):
        notes.append(f"DATAHUB_HOME={path} was open to other users (mode {before:o}); it is yours alone now (700)")
    elif others_can_read(mode):
        notes.append(_how_open(path, mode))
    strange = _replaceable_by(path.resolve())
    if strange is not None:
        notes.append(
            f"{strange}, above DATAHUB_HOME={path}, can be written by other users, who could put another folder in the "
            "home's place: choose a home elsewhere"
        )
    return notes


def check_home(path: Path) -> None:
    """See that a home, if there is one, is fit to be read; nothing is made or changed.

    Raises:
        UnsafePath: as `open_home`.
        OSError: it cannot be looked at.
    """
    if check_folder(path) and not _is_only_home(path):
        _checked_as_it_is(path)


def _checked_as_it_is(path: Path) -> int:
    """The mode of a folder that holds other things too.

    Raises:
        UnsafePath: others could replace the files kept there, or it is a folder shared by all.
    """
    mode, found = checked_mode(path.resolve()), path.stat()
    if mode & stat.S_ISVTX:
        why = "is a folder all users share"
    elif others_can_write(mode) and is_own(found):
        why = f"holds other things and can be written by other users (mode {mode:o})"
    else:
        return mode
    raise UnsafePath(f"DATAHUB_HOME={path} {why}: choose a folder of its own, as {path / 'datahub'}", path)


def _is_only_home(path: Path) -> bool:
    """Whether the folder holds nothing but what the product keeps there."""
    if stat.S_IMODE(path.stat().st_mode) & stat.S_ISVTX or path.resolve() == Path(path.anchor or "/"):
        return False
    return all(_KEPT.fullmatch(entry.name) for entry in path.iterdir())


def _how_open(path: Path, mode: int) -> str:
    found = path.stat()
    start = f"DATAHUB_HOME={path} can be read by other users (mode {mode:o})"
    if not is_own(found):
        return f"{start} and belongs to {user_name(found.st_uid)}: what is made in it from now on is yours alone"
    if path.is_symlink():
        return f"{start} and is a link, which is not followed to change it: chmod 700 {path.resolve()}"
    if not _is_only_home(path):
        return f"{start} and holds other things, so it is left so: choose a folder of its own, or chmod 700 {path}"
    return f"{start}: its file system keeps no permissions. Choose one that does if others use this machine"


def _replaceable_by(path: Path) -> Path | None:
    """The first folder above in which anybody may rename what is there; None when there is none."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return folder
    return None
