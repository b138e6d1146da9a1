"""How much may still be stored: a limit for each file, a reserve of free disk, and a quota for the whole Hub if set.

Bytes announced and not yet written count as used, so that many uploads begun at once cannot pass together.
"""

import os
import shutil
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Self

from localhub.errors import LocalHubError, too_large

GIB = 1024**3
MAX_FILE_BYTES = 50 * GIB  # what huggingface.co takes as one LFS file
RESERVE_BYTES = GIB  # left free for the database, its journal, and whatever else lives on the disk
_MEASURED_FOR_S = 60.0


@dataclass(frozen=True, kw_only=True)
class StorageLimits:
    """`quota_bytes` is for everything below the home, None for no quota. All in bytes."""

    quota_bytes: int | None = None
    reserve_bytes: int = RESERVE_BYTES
    max_file_bytes: int = MAX_FILE_BYTES


class Reservation:
    """Bytes on their way in, until `close` (or leaving the context): `written` says that some are on the disk."""

    def __init__(self, space: "Space", announced: int) -> None:
        self._space = space
        self._outstanding = announced

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def written(self, size: int) -> None:
        """`size` bytes more are about to be written.

        Raises:
            HubError: 507 if the disk has filled up meanwhile.
        """
        self._space.refuse_full(size)
        done = min(size, self._outstanding)
        self._outstanding -= done
        self._space.settle(done, written=size)

    def close(self) -> None:
        """The rest will not come."""
        self._space.settle(self._outstanding, written=0)
        self._outstanding = 0


class Space:
    """The room for content below one home. Safe to use from many threads."""

    def __init__(self, home: Path, limits: StorageLimits | None = None) -> None:
        self._home = home
        self.limits = limits or StorageLimits()
        self._lock = Lock()
        self._outstanding = 0
        self._used = 0
        self._measured_at = -_MEASURED_FOR_S

    def reserve(self, size: int) -> Reservation:
        """Room for `size` bytes while they arrive.

        Raises:
            HubError: as `check`.
        """
        self._measure()
        with self._lock:
            self._refuse(size)
            self._outstanding += size
        return Reservation(self, size)

    def check(self, size: int) -> None:
        """Whether `size` bytes could come now.

        Raises:
            HubError: 507 if the quota or the disk has no room for them.
        """
        self._measure()
        with self._lock:
            self._refuse(size)

    def take(self, size: int) -> None:
        """Room for `size` bytes that are written at once.

        Raises:
            HubError: as `check`.
        """
        with self.reserve(size) as reservation:
            reservation.written(size)

    def check_file(self, size: int) -> None:
        """Whether one file may be as large as `size` bytes.

        Raises:
            HubError: 413.
        """
        if size > self.limits.max_file_bytes:
            raise too_large(f"A file of {size} bytes: at most {self.limits.max_file_bytes} bytes are taken")

    def refuse_full(self, size: int) -> None:
        """Keep the reserve of the disk, whoever fills it.

        Raises:
            HubError: 507.
        """
        free = self._free()
        if free - size < self.limits.reserve_bytes:
            raise _no_room(
                f"The server's disk has {free} bytes left, of which {self.limits.reserve_bytes} are kept free"
            )

    def settle(self, announced: int, *, written: int) -> None:
        """`announced` bytes are no longer on their way, `written` are on the disk."""
        with self._lock:
            self._outstanding -= announced
            self._used += written

    def _refuse(self, size: int) -> None:
        self.refuse_full(size + self._outstanding)
        quota = self.limits.quota_bytes
        if quota is not None and self._used + self._outstanding + size > quota:
            raise _no_room(
                f"{size} bytes more would pass this Hub's quota of {quota} bytes: {self._used} are stored and "
                f"{self._outstanding} on their way. Delete repositories and run `localhub gc`, or raise the quota"
            )

    def _free(self) -> int:
        return shutil.disk_usage(self._home).free

    def _measure(self) -> None:
        """Count what is stored anew if that was long ago; other processes (gc) free some, and nobody tells."""
        if self.limits.quota_bytes is None:
            return
        with self._lock:
            if time.monotonic() - self._measured_at < _MEASURED_FOR_S:
                return
            self._measured_at = time.monotonic()
            self._used = _bytes_below(self._home)


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_size  # noqa: PTH116, PTH118 - twice as fast
            except FileNotFoundError:  # freed meanwhile
                continue
    return total


def _no_room(message: str) -> LocalHubError:
    return LocalHubError(
        HTTPStatus.INSUFFICIENT_STORAGE, message
    )  # 5xx: it may work later, unlike a file that is too large
