"""`worker-status.json`: the state of the workers, for the API and the CLI. One file, replaced in one step; no database.

Its schema is `domain.worker_status`.
"""

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datahub_assets.domain.times import iso, utc_datetime
from datahub_assets.domain.worker_status import (
    FILE_NAME,
    UNREADABLE,
    Chain,
    Notice,
    WorkerError,
    WorkerStatus,
    decode,
    encode,
)
from datahub_system.files.private import make
from datahub_system.files.whole import write_whole

_MESSAGE_LENGTH = 500
_LOG = logging.getLogger(__name__)


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

    def read(self) -> WorkerStatus:
        """What it says; no chains before the first run, or when it cannot be read."""
        return self._look()[0]

    def problem(self) -> str | None:
        """Why it cannot be read; None when it can, or is not there yet."""
        return self._look()[1]

    def chain(self, name: str) -> Chain:
        """What it says about one chain."""
        return self.read().chains.get(name, Chain())

    def ticked(self, chain: str, *, now_ms: int) -> None:
        """A run of the chain has begun."""
        self._change(chain, lambda told: msgspec.structs.replace(told, last_tick=utc_datetime(now_ms)), now_ms=now_ms)

    def failed(self, chain: str, *, code: str, message: str, now_ms: int) -> None:
        """A run of the chain met an error."""
        error = WorkerError(code=code, message=message[:_MESSAGE_LENGTH], at=iso(now_ms))
        self._change(chain, lambda told: msgspec.structs.replace(told, last_error=error), now_ms=now_ms)

    def resolved(self, chain: str, *, code: str, now_ms: int) -> None:
        """The cause of errors of this code is gone: clear the last error if it has this code."""
        error = self.chain(chain).last_error
        if error is not None and error.code == code:
            self._change(chain, lambda told: msgspec.structs.replace(told, last_error=None), now_ms=now_ms)

    def succeeded(self, chain: str, known: Chain, *, now_ms: int) -> None:
        """A run of the chain has published, or had nothing to publish. `known` is what the cache knows of it."""
        success = msgspec.structs.replace(known, last_success=utc_datetime(now_ms))

        def change(told: Chain) -> Chain:
            return msgspec.structs.replace(success, last_tick=told.last_tick, notices=told.notices)

        self._change(chain, change, now_ms=now_ms)

    def waited(self, chain: str, known: Chain, *, now_ms: int) -> None:
        """A run of the chain has rows that the Hub does not get yet: neither a success nor the end of an error."""

        def change(told: Chain) -> Chain:
            return msgspec.structs.replace(
                known,
                last_tick=told.last_tick,
                last_success=told.last_success,
                last_error=told.last_error,
                notices=told.notices,
            )

        self._change(chain, change, now_ms=now_ms)

    def noticed(self, chain: str, step: str, notices: tuple[Notice, ...], *, now_ms: int) -> None:
        """What a step of the chain warns of now."""

        def change(told: Chain) -> Chain:
            others = tuple(one for one in told.notices if one.step != step)
            return msgspec.structs.replace(told, notices=(*others, *notices))

        self._change(chain, change, now_ms=now_ms)

    def _look(self) -> tuple[WorkerStatus, str | None]:
        nothing = WorkerStatus(chains={})
        try:
            return decode(self.path.read_bytes()), None
        except FileNotFoundError:
            return nothing, None
        except OSError as error:
            return nothing, f"{self.path} cannot be read: {error.strerror}"
        except UNREADABLE as error:
            return nothing, f"{self.path} cannot be read: {error}"

    def _change(self, chain: str, change: Callable[[Chain], Chain], *, now_ms: int) -> None:
        try:
            self._write(chain, change, now_ms=now_ms)
        except OSError as error:
            _LOG.warning("could not write %s: %s", self.path, error)

    def _write(self, chain: str, change: Callable[[Chain], Chain], *, now_ms: int) -> None:
        with self._locked():
            status, problem = self._look()
            if problem is not None:
                _LOG.warning("%s; it is written anew", problem)
            chains = {**status.chains, chain: change(status.chains.get(chain, Chain()))}
            content = encode(WorkerStatus(chains=chains, written_at=utc_datetime(now_ms))).encode()
            write_whole(self.path, lambda file: file.write(content))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make(self.home)
        with self.path.with_suffix(".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
