"""The home as commands open it: looked at by those that read, made and tried by those that write."""

from pathlib import Path

from datahub_assets.ops.errors import OpsError
from datahub_system.files.home import check_home, open_home
from datahub_system.files.private import UnsafePath


def make(home: Path) -> list[str]:
    """Have the home, for this user alone; returns what a person should know of it, one line each.

    Raises:
        OpsError: it belongs to somebody else, or cannot be made or written.
    """
    try:
        notes = open_home(home)
        probe = home / ".writable"
        probe.touch()
        probe.unlink()
    except UnsafePath as error:
        raise OpsError(str(error)) from error
    except OSError as error:
        raise OpsError(f"DATAHUB_HOME={home} cannot be written: {error.strerror}") from error
    return notes


def check(home: Path) -> None:
    """See that the home is nobody else's. One that is missing stays so, and nothing in it is changed.

    Raises:
        OpsError: it belongs to somebody else, or cannot be looked at.
    """
    try:
        check_home(home)
    except UnsafePath as error:
        raise OpsError(str(error)) from error
    except OSError as error:
        raise OpsError(f"DATAHUB_HOME={home} cannot be read: {error.strerror}") from error
