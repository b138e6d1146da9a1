"""What the workers tell of their chains: the one schema of `worker-status.json`, for who writes it and who reads it.

Shape: {"chains": {dataset: {"last_tick", "last_success", "last_error": {"code", "message", "at"} | null, "newest_row",
"last_commit", "rows", "rejected", "commits_last_hour", "gaps_open", "notices": [{"step", "text", "level", "since",
"told_at", "held"}]}}, "written_at"}; times are ISO 8601 UTC or null.
Fields that are not there have their defaults, and unknown ones are left out when the file is written anew.
"""

import json
from datetime import datetime
from typing import Annotated, Final

import msgspec

from datahub_assets.domain.times import datetime_iso

FILE_NAME: Final = "worker-status.json"
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `decode` raises for content of another shape."""
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class WorkerError(msgspec.Struct, frozen=True):
    """The last thing that went wrong in a chain."""

    code: str
    message: str
    at: str


class Notice(msgspec.Struct, frozen=True):
    """A warning that the last run of a step gave.

    Attributes:
        step: the asset whose step it was.        level: as the library `logging` counts.
        since: of the first of the runs that gave it, one after the other.        told_at: when a person was told last.
        held: more than one run gave it.
    """

    step: str
    text: str
    level: int
    since: _Time
    told_at: _Time
    held: bool = False


class Chain(msgspec.Struct, frozen=True):
    """What a chain of assets last did."""

    last_tick: _Time | None = None
    last_success: _Time | None = None
    last_error: WorkerError | None = None
    newest_row: _Time | None = None
    last_commit: str | None = None
    rows: int = 0
    rejected: int = 0
    commits_last_hour: int = 0
    gaps_open: int | None = None
    """Gaps that are not healed; null for a dataset without a ledger of gaps."""
    notices: tuple[Notice, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What holds for more than a run, but for the last error, which has a place of its own."""
        error = None if self.last_error is None else f"{self.last_error.code}: {self.last_error.message}"
        return [notice.text for notice in self.notices if notice.held and notice.text != error]


class WorkerStatus(msgspec.Struct, frozen=True):
    """All of the file, which the workers write after every run."""

    chains: dict[str, Chain]
    written_at: _Time | None = None


def decode(content: bytes) -> WorkerStatus:
    """What the content of the file says.

    Raises:
        one of UNREADABLE: it is no JSON, or of another shape.
    """
    return msgspec.json.decode(content, type=WorkerStatus)


def encode(status: WorkerStatus) -> str:
    """The content of the file; times with milliseconds and a `Z`."""
    return json.dumps(msgspec.to_builtins(status, builtin_types=(datetime,)), indent=1, default=datetime_iso)
