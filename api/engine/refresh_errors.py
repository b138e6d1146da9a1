"""What stands for an error nobody typed, where the datasets are kept current. Nothing is caught here."""

import sqlite3

from datahub_assets.domain.errors import DataHubError, StorageFailed, Terminal


class RefreshFailed(Terminal, DataHubError):
    """Something nobody expected went wrong while a commit was taken in; the log has it."""

    code = "refresh_failed"


def trouble_of(error: Exception) -> DataHubError:
    """The typed error that stands for `error`, or itself. Its message discloses no path."""
    if isinstance(error, DataHubError):
        return error
    if isinstance(error, OSError):
        return StorageFailed(error.strerror or type(error).__name__)
    if isinstance(error, sqlite3.Error):
        return StorageFailed(f"the index of commits: {error}")
    return RefreshFailed(type(error).__name__)
