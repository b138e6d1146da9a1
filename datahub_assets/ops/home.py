"""The home as commands open it: made or looked at by `datahub_files.home`, and tried whether it can be written."""

from pathlib import Path

from datahub_assets.ops.errors import OpsError
from datahub_files.home import open_home
from datahub_files.private import UnsafePath


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
