"""The error that stands for an unexpected one while datasets are kept current."""

import sqlite3

from datahub_assets.domain.errors import DataHubError, StorageFailed, Terminal


class RefreshFailed(Terminal, DataHubError):
    """An unexpected error while a commit was taken in; the log has it."""

    code = "refresh_failed"


def refresh_error(error: Exception) -> DataHubError:
    """The typed error that stands for `error`, or itself. Its message discloses no path."""
    if isinstance(error, DataHubError):
        return error
    if isinstance(error, OSError):
        return StorageFailed(error.strerror or type(error).__name__)
    if isinstance(error, sqlite3.Error):
        return StorageFailed(f"the index of commits: {error}")
    return RefreshFailed(type(error).__name__)
