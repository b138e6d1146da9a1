"""Xorbs between their upload and the shard that says which files they make; the files are then blobs like any others.

A client remembers what it sent to one storage address and does not send it again, so the address names a span of time
(an epoch), and what was sent in it is kept until that address is no longer used.
"""

import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

EPOCH_S = 6 * 3600


def current_epoch() -> int:
    """The number of the span of time it is now."""
    return int(time.time()) // EPOCH_S


class Xorbs:
    """The folder `home/xorbs`: by repository id, epoch and the hash their sender gave them."""

    def __init__(self, home: Path) -> None:
        self._root = home / "xorbs"

    def receive(self, repo_id: int, epoch: int) -> Path:
        """A new path to write an arriving xorb to; pass it to `keep`, or delete it."""
        folder = self._folder(repo_id, epoch)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"incoming-{secrets.token_hex(8)}"

    def keep(self, arrived: Path, *, sender_hash: str) -> None:
        """Give an arrived xorb its name."""
        arrived.rename(arrived.with_name(sender_hash))

    def open(self, repo_id: int, epoch: int, *, sender_hash: str) -> BinaryIO:
        """The xorb of that name.

        Raises:
            FileNotFoundError: it was not sent to this repository in this epoch.
        """
        return (self._folder(repo_id, epoch) / sender_hash).open("rb")

    def drop_old(self) -> None:
        """Delete what was sent before the previous epoch."""
        oldest = current_epoch() - 1
        for folder in self._root.glob("*/*"):
            if int(folder.name) < oldest:
                shutil.rmtree(folder)

    def _folder(self, repo_id: int, epoch: int) -> Path:
        return self._root / str(repo_id) / str(epoch)
