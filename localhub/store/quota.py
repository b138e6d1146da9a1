"""The quota of a Hub, kept in its database: set by each `localhub serve`, read when the home is opened."""

import sqlite3

_NAME = "quota_bytes"


def set_quota(con: sqlite3.Connection, quota_bytes: int | None) -> None:
    """Let everything below the home be at most `quota_bytes` large, or as large as it likes (None)."""
    con.execute("DELETE FROM settings WHERE name = ?", (_NAME,))
    if quota_bytes is not None:
        con.execute("INSERT INTO settings VALUES (?, ?)", (_NAME, str(quota_bytes)))


def quota(con: sqlite3.Connection) -> int | None:
    """The quota in bytes, None if there is none."""
    row = con.execute("SELECT value FROM settings WHERE name = ?", (_NAME,)).fetchone()
    return None if row is None else int(row["value"])
