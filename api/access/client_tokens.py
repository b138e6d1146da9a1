"""The client tokens of this server, as its file has them now: made and removed by `datahub token`."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from datahub_system.files.client_tokens import ClientToken, ClientTokensError, load

CHECKED_S: Final = 0.5
"""How often it is looked whether the file is still the same."""
_LOG: Final = logging.getLogger(__name__)
_NO_FILE: Final = (0, 0, 0, 0)


class ClientTokens:
    """Finds tokens by their hash. A file that cannot be read, or is another user's, opens nothing. For one thread."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._checked_s = -CHECKED_S
        self._read: tuple[int, int, int, int] = _NO_FILE
        self._by_digest: dict[bytes, ClientToken] = {}
        self._said = ""

    def find(self, digest: bytes, *, at_once: bool = False) -> ClientToken | None:
        """The token with that SHA-256; `at_once`: as the file is at this moment.

        Hashes are compared, not tokens: how long that takes tells nothing about a token.
        """
        now_s = self._clock()
        if at_once or now_s - self._checked_s >= CHECKED_S:
            self._checked_s = now_s
            self._reread()
        return self._by_digest.get(digest)

    def _reread(self) -> None:
        found = self._state()
        if found == self._read:
            return
        self._read, self._by_digest = found, {}
        try:
            tokens = load(self._path)
        except (ClientTokensError, OSError) as error:
            self._read = _NO_FILE  # it is tried again: what was wrong need not be the file
            level = logging.DEBUG if self._said == str(error) else logging.WARNING
            _LOG.log(level, "no client token is accepted: %s", error)
            self._said = str(error)
            return
        self._said = ""
        self._by_digest = {bytes.fromhex(one.sha256): one for one in tokens}

    def _state(self) -> tuple[int, int, int, int]:
        """What changes when the file is replaced, or given to somebody else."""
        try:
            found = self._path.stat()
        except OSError:
            return _NO_FILE
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
