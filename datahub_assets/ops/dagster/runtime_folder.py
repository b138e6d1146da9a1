"""Where the sockets of the running product are: a folder nobody else can enter, for as long as `datahub up` runs.

It is `run` in the home. Where that path is too long for a socket, means something else in a URL (Dagster and gRPC put
paths into URLs as they are), or lies on a file system without permissions, it is a folder with a random name in the
temporary folder, and `run.path` in the home tells which. Everybody who needs it reads that; nobody can guess it.

The temporary folder comes before XDG_RUNTIME_DIR, which is the system's to delete when its user logs out: `up` may
run on in a terminal that was left.
"""

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datahub_assets.ops.errors import OpsError
from datahub_system.files.private import (
    UnsafePath,
    checked_mode,
    is_own,
    is_trusted,
    make,
    opened,
    others_can_read,
    others_can_write,
    private_folder,
)

CODE, WARM = "code.sock", "warm.sock"
STORAGE = "storage"
"""Name of the link to Dagster's databases, for a home whose path is no URL."""
_PREFIX = "datahub-"
_LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes
_NOT_IN_URL = re.compile(r"[%?#]")


def fits_url(path: Path) -> bool:
    """Whether the path means the same when it is put into a URL."""
    return not _NOT_IN_URL.search(str(path))


def located(home: Path) -> Path:
    """The folder of the product that runs on this home.

    Raises:
        OpsError: the home's own path cannot be used, and no other folder was made yet.
    """
    try:
        return Path(os.fsdecode(_note(home).read_bytes()))
    except FileNotFoundError:
        folder = _own(home)
    if not _fits(folder):
        raise OpsError(f"nothing runs on DATAHUB_HOME={home}: its sockets are made by `datahub up`")
    return folder


@contextmanager
def held(home: Path) -> Iterator[Path]:
    """Have the folder for as long as the block runs; what an `up` that was killed has left is removed first.

    Raises:
        OpsError: somebody else's folder is in the way, or none can be made.
    """
    try:
        _remove(home)
        folder = _make(home)
    except UnsafePath as error:
        raise OpsError(str(error)) from error
    try:
        yield folder
    finally:
        with suppress(OSError):  # the next start says what is wrong
            _remove(home)


def _make(home: Path) -> Path:
    own = _own(home)
    if _fits(own):
        if not others_can_read(private_folder(own)):
            return own
        with suppress(OSError):
            own.rmdir()
    folder = _make_elsewhere(home)
    note = _note(home)
    make(note.parent)
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(folder))
    return folder


def _make_elsewhere(home: Path) -> Path:
    """A new folder with a random name, mode 700, in the first place that is fit.

    Raises:
        OpsError: no place is; the message says why.
    """
    reasons = []
    for place in _places():
        try:
            parent = place.resolve(strict=True)
            if others_can_write(checked_mode(parent)):
                reasons.append(f"others can replace what is in {place}")
            elif not _fits(parent / f"{_PREFIX}12345678"):
                reasons.append(f"{place} is no better")
            else:
                return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        except UnsafePath as error:
            reasons.append(str(error))
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
    raise OpsError(
        f"DATAHUB_HOME={home} is too long for a socket, keeps no permissions or has a character that means something "
        f"else in a URL, and no folder can stand in for it ({'; '.join(reasons)}). Choose a shorter path without % ? #"
    )


def _places() -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        yield runtime


def _remove(home: Path) -> None:
    """Remove the folder and the note of it. Only what we put there goes, only if it is ours, and no link is followed.

    Raises:
        UnsafePath: the folder in the home is a link or somebody else's.
    """
    own, note = _own(home), _note(home)
    with suppress(FileNotFoundError):
        _empty(own)
    with suppress(OSError, ValueError):
        noted = Path(os.fsdecode(note.read_bytes()))
        if noted.is_absolute() and noted.name.startswith(_PREFIX):
            _empty(noted)
    note.unlink(missing_ok=True)


def _empty(folder: Path) -> None:
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and is_trusted(found) and not is_own(found):  # opening it may be denied
        raise UnsafePath(f"{folder} belongs to root: an `up` that root ran has left it. Remove it", folder)
    with opened(folder) as descriptor:
        for name in (CODE, WARM, STORAGE):
            with suppress(FileNotFoundError):
                kind = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
                if stat.S_ISSOCK(kind) or stat.S_ISLNK(kind):
                    os.unlink(name, dir_fd=descriptor)
    with suppress(OSError):  # what else lies there is somebody else's
        folder.rmdir()


def _own(home: Path) -> Path:
    return home.resolve() / "run"


def _note(home: Path) -> Path:
    return home.resolve() / "run.path"


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / CODE)) <= _LONGEST_SOCKET_PATH and fits_url(folder)
