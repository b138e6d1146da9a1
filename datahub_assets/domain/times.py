"""Units of time in milliseconds, and times as ISO 8601."""

from datetime import UTC, datetime
from typing import Final

SECOND_MS: Final = 1_000


MINUTE_MS: Final = 60 * SECOND_MS


HOUR_MS: Final = 60 * MINUTE_MS


DAY_MS: Final = 24 * HOUR_MS


def iso(time_ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601 UTC with a `Z`."""
    if time_ms is None:
        return None
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(time: str | None) -> int | None:
    """What `iso` wrote, as epoch milliseconds again."""
    return None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)
