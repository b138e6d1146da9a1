"""A Hub's home folder: where its parts are, and the lock that keeps it to one server.

Opening is all this does; the parts know how to work.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datahub_system.files.private import check_file, private_folder
from localhub.store.database import HubDatabase
from localhub.store.disk.blobs import Blobs
from localhub.store.disk.secretfile import secret_in
from localhub.store.disk.space import Space, StorageLimits
from localhub.store.disk.xorbs import Xorbs
from localhub.store.quota import quota

DATABASE = "hub.sqlite3"


class Home:
    """The folder `path` (mode 700) with its database and blobs opened.

    Raises:
        UnsafePath: the folder or the database is another user's.
    """

    def __init__(self, path: Path) -> None:
        private_folder(path)  # private repositories lie here in clear
        self.path = path
        check_file(path / DATABASE)
        self.database = HubDatabase(path / DATABASE)
        with self.database.read() as con:
            self.space = Space(path, StorageLimits(quota_bytes=quota(con)))
        self.blobs = Blobs(path)
        self.xorbs = Xorbs(path)
        self.signing_key = secret_in(path / "signing.key", make=lambda: secrets.token_hex(32)).encode()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


class HomeInUseError(Exception):
    """Another server runs on this home."""


@contextmanager
def only_server(path: Path) -> Iterator[None]:
    """Be the one server of this home; the kernel lets go of it however the process ends.

    Raises:
        HomeInUseError: another process, or another server of this one, is.
    """
    private_folder(path)
    descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise HomeInUseError(f"another localhub is serving {path}") from error
    try:
        yield
    finally:
        os.close(descriptor)
