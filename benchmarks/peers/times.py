"""Times as the peers' SQL wants them."""

from datetime import UTC, datetime


def iso_text(time_ms: int) -> str:
    """A whole second as `2026-11-01T12:00:00Z`."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
