"""Folders and files that other users of this machine can neither read nor replace.

Who counts as somebody else: any user but this process's own and root, who can do everything anyway. That includes the
owner 65534, which the kernel shows for users it cannot name.

What is checked is what is then used: a folder is opened without following a link, and the open folder is looked at and
changed, so that nobody can put a link in its place in between.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePath(PermissionError):
    """Somebody else owns this path, or can change it. The message says what it is, whose, and what to do."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(errno.EACCES, message, str(path))

    def __str__(self) -> str:
        return self.strerror or ""


def private_umask() -> None:
    """From now on this process and its children make files of mode 600 and folders of mode 700 at most."""
    os.umask(0o077)


def make(path: Path) -> bool:
    """Make the folder and those above it that are missing, mode 700; True if it was not there.

    A folder that is there already is taken as it is.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return False
    if path.parent != path:
        make(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    return True


def make_file(path: Path) -> None:
    """Make an empty file of mode 600 if nothing is there; what prevents it shows when the file is opened.

    For SQLite, which gives the files beside a database the mode of that. The file is not opened here: closing it would
    drop the locks that other connections of this process hold (fcntl(2)).
    """
    with suppress(OSError):
        os.mknod(path, 0o600)


def private_folder(path: Path) -> int:
    """Make a folder of mode 700, or take it from the others if it is there; returns its mode (permission bits) now.

    A link made by this user or root may stand for it: then the folder it leads to is checked and not changed. The mode
    is wider than 700 behind such a link, in a folder of root's, and where the file system keeps no permissions.

    Raises:
        UnsafePath: somebody else owns the folder or the link, or it is no folder.
        OSError: it cannot be made or opened.
    """
    make(path)
    if path.is_symlink():
        check_link(path)
        return checked_mode(path.resolve())
    with opened(path) as folder:
        mode = stat.S_IMODE(os.fstat(folder).st_mode)
        if mode & _OTHERS and is_own(os.fstat(folder)):
            mode = _close(folder)
    return mode


def checked_mode(path: Path) -> int:
    """The permission bits of a folder of this user's or root's.

    Raises:
        UnsafePath: somebody else owns it, or it is a link or no folder.
    """
    with opened(path) as folder:
        return stat.S_IMODE(os.fstat(folder).st_mode)


def check_link(path: Path) -> None:
    """See that a link, should the path be one, was made by this user or root.

    Raises:
        UnsafePath: somebody else made it.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) and not is_trusted(found):
        raise UnsafePath(_strange("the link", path, found), path)


def check_folder(path: Path) -> bool:
    """See that a folder, if one is there, is this user's or root's, and so is a link to it; whether there is one.

    Nothing is made or changed.

    Raises:
        UnsafePath: somebody else owns the folder or the link, or it is no folder.
        OSError: it cannot be looked at.
    """
    if not os.path.lexists(path):
        return False
    check_link(path)
    if not path.exists():
        return False
    checked_mode(path.resolve())
    return True


def check_file(path: Path) -> bool:
    """See that a file, if one is there, is a regular one of this user's or root's, as is a link to it; whether it is.

    It is not opened, and nothing is made or changed.

    Raises:
        UnsafePath: somebody else owns the file or the link, or it is no regular file.
        OSError: it cannot be looked at.
    """
    try:
        check_link(path)
        found = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise UnsafePath(f"{path} of {user_name(found.st_uid)} is no file: move it away", path)
    if not is_trusted(found):
        raise UnsafePath(_strange("the file", path, found), path)
    return True


def others_can_read(mode: int) -> bool:
    """Whether others may look into a folder of that mode."""
    return bool(mode & _OTHERS)


def others_can_write(mode: int) -> bool:
    """Whether others may replace what lies in a folder of that mode; in a sticky one they may only add."""
    return bool(mode & _OTHERS_WRITE) and not mode & stat.S_ISVTX


def is_own(found: os.stat_result) -> bool:
    """Whether this process's user owns it."""
    return found.st_uid == os.geteuid()


def is_trusted(found: os.stat_result) -> bool:
    """Whether this process's user or root owns it."""
    return found.st_uid in {os.geteuid(), 0}


def user_name(uid: int) -> str:
    """A user as a person knows them: name and number."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of the folder, which is this user's or root's.

    Raises:
        UnsafePath: somebody else owns it, or it is a link or no folder.
        OSError: it is not there or cannot be opened.
    """
    _refuse_no_folder(path)
    try:
        folder = os.open(path, _OPEN_FOLDER)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:  # changed since it was looked at
            _refuse_no_folder(path)
        raise
    try:
        found = os.fstat(folder)
        if not is_trusted(found):
            raise UnsafePath(_strange("the folder", path, found), path)
        yield folder
    finally:
        os.close(folder)


def checked_file(path: Path) -> None:
    """See that a file, after links, is this user's or root's; and take from others what lets them write to it.

    Where the file system keeps no permissions they can write to it all the same.

    Raises:
        UnsafePath: somebody else owns it, or others can write to a file of root's.
        OSError: it is not there or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not is_trusted(found):
            raise UnsafePath(_strange("the file", path, found), path)
        if not found.st_mode & _OTHERS_WRITE:
            return
        if not is_own(found):
            raise UnsafePath(f"{path} of root can be written by other users: chmod go-w {path}", path)
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE)
    finally:
        os.close(descriptor)


def _close(folder: int) -> int:
    """Take an open folder of ours from the others; the mode it has now."""
    with suppress(OSError):  # a file system without permissions: the mode it has now tells
        os.fchmod(folder, 0o700)
    return stat.S_IMODE(os.fstat(folder).st_mode)


def _refuse_no_folder(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise UnsafePath(f"{path} is a link made by {user_name(found.st_uid)}, not a folder: remove it", path)
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePath(f"{path} of {user_name(found.st_uid)} is no folder: move it away", path)


def _strange(kind: str, path: Path, found: os.stat_result) -> str:
    return (
        f"{kind} {path} belongs to {user_name(found.st_uid)}, who could read and replace what is kept in it, and this "
        f"runs as {user_name(os.geteuid())}: run it as its owner, choose another place, or chown it"
    )
