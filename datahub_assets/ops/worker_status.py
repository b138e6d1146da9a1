"""`worker-status.json`: what the API and the CLI know of the workers. One file, replaced in one step; no database.

Shape: {"chains": {dataset: {"last_tick", "last_success", "last_error": {"code", "message", "at"} | null, "newest_row",
"last_commit", "rows", "rejected", "commits_last_hour", "gaps_open"}}, "written_at"}; times are ISO 8601 UTC or null.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE_NAME = "worker-status.json"
_EMPTY: dict[str, Any] = {
    "last_tick": None,
    "last_success": None,
    "last_error": None,
    "newest_row": None,
    "last_commit": None,
    "rows": 0,
    "rejected": 0,
    "commits_last_hour": 0,
    "gaps_open": None,
}
_MESSAGE_LENGTH = 500
_LOG = logging.getLogger(__name__)


def iso(time_ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601 UTC with a `Z`."""
    if time_ms is None:
        return None
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The file in a home. Chains run in different processes, so each change is made under a lock.

    A change that the disk refuses is logged, not raised: what a chain does is worth more than what is told of it, and
    on a full disk the chain's own error says what to do.
    """

    home: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / FILE_NAME

    def read(self) -> dict[str, Any]:
        """What it says; no chains before the first run."""
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {"chains": {}, "written_at": None}

    def chain(self, name: str) -> dict[str, Any]:
        """What it says about one chain."""
        return {**_EMPTY, **self.read()["chains"].get(name, {})}

    def ticked(self, chain: str, *, now_ms: int) -> None:
        """A run of the chain has begun."""
        self._change(chain, {"last_tick": iso(now_ms)}, now_ms=now_ms)

    def failed(self, chain: str, *, code: str, message: str, now_ms: int) -> None:
        """A run of the chain met an error."""
        error = {"code": code, "message": message[:_MESSAGE_LENGTH], "at": iso(now_ms)}
        self._change(chain, {"last_error": error}, now_ms=now_ms)

    def succeeded(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        """A run of the chain has published, or had nothing to publish."""
        self._change(chain, {**facts, "last_success": iso(now_ms), "last_error": None}, now_ms=now_ms)

    def waited(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        """A run of the chain has rows that the Hub does not get yet: neither a success nor the end of an error."""
        self._change(chain, facts, now_ms=now_ms)

    def _change(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        try:
            self._write(chain, facts, now_ms=now_ms)
        except OSError as error:
            _LOG.warning("could not write %s: %s", self.path, error)

    def _write(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        with self._locked():
            status = self.read()
            status["chains"][chain] = {**_EMPTY, **status["chains"].get(chain, {}), **facts}
            status["written_at"] = iso(now_ms)
            partial = self.path.with_suffix(".partial")
            with partial.open("w", encoding="utf-8") as file:
                json.dump(status, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
