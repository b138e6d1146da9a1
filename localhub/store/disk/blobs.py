"""Bytes on disk, each content once, named by its SHA-256.

A blob appears under its name only after its bytes were fsynced, by rename, and the folder is fsynced after; so a name
that can be read always has its whole content, also after a power cut.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from datahub_system.files.whole import sync_folder
from localhub.errors import bad_request


class Blobs:
    """The content-addressed files below `home/blobs`, and `home/incoming` for those still arriving."""

    def __init__(self, home: Path) -> None:
        self._root = home / "blobs"
        self._incoming = home / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for prefix in range(256):
            (self._root / f"{prefix:02x}").mkdir(parents=True, exist_ok=True)
        sync_folder(self._root)
        sync_folder(home)

    def path(self, sha256: str) -> Path:
        """Where the blob of this hash is, or would be."""
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the content is stored."""
        return self.path(sha256).is_file()

    def head(self, sha256: str, size: int) -> bytes:
        """The first `size` bytes of the blob, all of a shorter one."""
        with self.path(sha256).open("rb") as file:
            return file.read(size)

    def put(self, content: bytes) -> str:
        """Store `content` durably; returns its SHA-256."""
        with self.receive() as upload:
            upload.write(content)
            return upload.keep()

    def receive(self) -> "Upload":
        """A new file to write arriving bytes to."""
        return Upload(self, self._incoming / secrets.token_hex(16))

    def touch(self, sha256: str) -> bool:
        """Make the blob young again for `remove`; False if it is not there.

        The time is the clock's own: what the kernel would note by itself lags behind it by milliseconds.
        """
        try:
            os.utime(self.path(sha256), ns=(time.time_ns(),) * 2)
        except FileNotFoundError:
            return False
        return True

    def discard_unfinished(self) -> None:
        """Delete uploads cut short by the end of the process that received them."""
        for file in self._incoming.iterdir():
            file.unlink()

    def stored(self) -> Iterator[str]:
        """The hashes of all blobs, sorted; folder by folder, so that few are held."""
        for folder in sorted(self._root.iterdir()):
            yield from sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed, of 100,000 files

    def remove(self, sha256: str, *, before_ns: int) -> int | None:
        """Delete the blob if it was last touched before a time (ns since 1970); returns the bytes freed."""
        return _remove(self.path(sha256), before_ns=before_ns)

    def discard_abandoned(self, *, before_ns: int) -> tuple[int, int]:
        """Delete uploads that have not gone on since a time (ns since 1970); returns (files, bytes) freed."""
        freed = [_remove(file, before_ns=before_ns) for file in self._incoming.iterdir()]
        sizes = [size for size in freed if size is not None]
        return len(sizes), sum(sizes)


class Upload:
    """One content on its way in, ended by `keep` or `discard`; a context manager that discards what was not kept."""

    def __init__(self, blobs: Blobs, path: Path) -> None:
        self._blobs = blobs
        self._path = path
        self._file = path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def keep(self, *, expect_sha256: str | None = None) -> str:
        """Make the content durable under its hash; returns the SHA-256.

        Raises:
            HubError: 400 if the hash is not the expected one; nothing is kept then.
        """
        sha256 = self._hash.hexdigest()
        if expect_sha256 not in {None, sha256}:
            self.discard()
            raise bad_request(f"The content has SHA-256 {sha256}, not {expect_sha256} as announced")
        if self._blobs.touch(sha256):
            self.discard()
            return sha256
        os.utime(self._file.fileno(), ns=(time.time_ns(),) * 2)  # as `touch`
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._blobs.path(sha256)
        self._path.rename(target)
        sync_folder(target.parent)
        return sha256

    def discard(self) -> None:
        """Drop what was written; nothing happens after `keep`."""
        if not self._file.closed:
            self._file.close()
            self._path.unlink()


def _remove(file: Path, *, before_ns: int) -> int | None:
    try:
        info = file.stat()
        if info.st_mtime_ns >= before_ns:
            return None
        file.unlink()
    except FileNotFoundError:  # somebody else did
        return None
    return info.st_size
