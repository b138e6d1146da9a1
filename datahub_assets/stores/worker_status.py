"""`worker-status.json`: the state of the workers, for the API and the CLI. One file, replaced in one step; no database.

Shape: {"chains": {dataset: {"last_tick", "last_success", "last_error": {"code", "message", "at"} | null, "newest_row",
"last_commit", "rows", "rejected", "commits_last_hour", "gaps_open"}}, "written_at"}; times are ISO 8601 UTC or null.
"""

import copy
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ValidationError

from datahub_assets.domain.times import iso
from datahub_system.files.private import make

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
_NOTHING: Final[dict[str, Any]] = {"chains": {}, "written_at": None}
_MESSAGE_LENGTH = 500
_LOG = logging.getLogger(__name__)


def _in_a_zone(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no time zone")
    return text


_Time = Annotated[str, AfterValidator(_in_a_zone)]


class _Error(BaseModel):
    code: str
    message: str


class _ChainEntry(BaseModel):
    """What is relied on; a chain may tell more."""

    last_tick: _Time | None = None
    last_success: _Time | None = None
    last_error: _Error | None = None


class _StatusFile(BaseModel):
    chains: dict[str, _ChainEntry]


@dataclass(frozen=True, slots=True)
class WorkerStatusFile:
    """The file in a home. Chains run in different processes, so each change is made under a lock.

    A chain must not fail because its status cannot be written. So an error of the disk is logged, not raised (on a full
    disk the chain's own error says what to do), and a file that cannot be read counts as none and is written anew.
    """

    home: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / FILE_NAME

    def read(self) -> dict[str, Any]:
        """What it says; no chains before the first run, or when it cannot be read."""
        return self._look()[0]

    def problem(self) -> str | None:
        """Why it cannot be read; None when it can, or is not there yet."""
        return self._look()[1]

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

    def resolved(self, chain: str, *, code: str, now_ms: int) -> None:
        """The cause of errors of this code is gone: clear the last error if it has this code."""
        error = self.chain(chain)["last_error"]
        if error is not None and error["code"] == code:
            self._change(chain, {"last_error": None}, now_ms=now_ms)

    def succeeded(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        """A run of the chain has published, or had nothing to publish."""
        self._change(chain, {**facts, "last_success": iso(now_ms), "last_error": None}, now_ms=now_ms)

    def waited(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        """A run of the chain has rows that the Hub does not get yet: neither a success nor the end of an error."""
        self._change(chain, facts, now_ms=now_ms)

    def _look(self) -> tuple[dict[str, Any], str | None]:
        try:
            content = self.path.read_bytes()
            _StatusFile.model_validate_json(content)
        except FileNotFoundError:
            return copy.deepcopy(_NOTHING), None
        except OSError as error:
            return copy.deepcopy(_NOTHING), f"{self.path} cannot be read: {error.strerror}"
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            why = f"{place}: {first['msg']}" if place else first["msg"]
            return copy.deepcopy(_NOTHING), f"{self.path} cannot be read: {why}"
        return {**_NOTHING, **json.loads(content)}, None

    def _change(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        try:
            self._write(chain, facts, now_ms=now_ms)
        except OSError as error:
            _LOG.warning("could not write %s: %s", self.path, error)

    def _write(self, chain: str, facts: dict[str, Any], *, now_ms: int) -> None:
        with self._locked():
            status, problem = self._look()
            if problem is not None:
                _LOG.warning("%s; it is written anew", problem)
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
        make(self.home)
        with self.path.with_suffix(".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
