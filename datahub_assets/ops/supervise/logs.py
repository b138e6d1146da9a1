"""Writes the lines of a process to a rotated file, with secrets removed."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from datahub_system.files.private import private_folder
from datahub_system.files.whole import NO_ROOM

_FILE_BYTES = 5 * 1024 * 1024
_KEPT_FILES = 4
_LONGEST_LINE_BYTES = 64 * 1024
_SHORTEST_SECRET = 6
_NOTICE_EVERY_S = 60.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Redactor:
    """Blots known secrets out of text; a last line of defence, since nothing is meant to print them."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str | None) -> None:
        """Blot this one out too, from now on."""
        if secret and len(secret) >= _SHORTEST_SECRET and secret not in self._secrets:
            self._secrets = sorted([*self._secrets, secret], key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with every known secret replaced by `***`."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def plain(line: str) -> str:
    """The line without terminal colours."""
    return _COLOUR.sub("", line)


class LineSplitter:
    """Bytes in as they come, whole lines out; an endless line is cut so that it cannot fill the memory."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Lines completed by `data`, without their ends; undecodable bytes are replaced."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            whole.append(self._rest)
            self._rest = b""
        for line in whole:
            yield line.decode("utf-8", errors="replace").rstrip("\r")

    def flush(self) -> Iterator[str]:
        """The unfinished last line, if there is one."""
        if self._rest:
            yield self._rest.decode("utf-8", errors="replace")
        self._rest = b""


class _Handler(RotatingFileHandler):
    """Keeps the error it met: the library's own would print the trace of each line that could not be written."""

    failed: OSError | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the library's name
        """Remember it."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            raise error if error is not None else RuntimeError("no error to handle")
        self.failed = error


class LogFile:
    """`<folder>/<name>.log`, five files of 5 MiB at most; each line carries its UTC time and the process's name.

    A line that the disk refuses is lost and `on_failure` is told of it; with the first line that can be written again
    the log says how many were. Whatever the disk does, nothing is raised: the process matters more than its log.
    """

    def __init__(self, folder: Path, name: str, *, on_failure: Callable[[OSError], None] = lambda _error: None) -> None:
        private_folder(folder)
        self.path = folder / f"{name}.log"
        self._name = name
        self._lost = 0
        self._on_failure = on_failure
        self._handler = _Handler(self.path, maxBytes=_FILE_BYTES, backupCount=_KEPT_FILES, encoding="utf-8", delay=True)

    def write(self, line: str) -> None:
        """Append one line."""
        lost = f"--- {self._lost} lines could not be written ---\n" if self._lost else ""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = f"{lost}{stamp}Z {self._name} | {line}"
        self._handler.failed = None
        self._handler.emit(logging.LogRecord(self._name, logging.INFO, "", 0, text, None, None))
        if self._handler.failed is None:
            self._lost = 0
        else:
            self._lost += 1
            self._close()
            self._on_failure(self._handler.failed)

    def close(self) -> None:
        """Close the file."""
        self._close()
        self._handler.close()

    def _close(self) -> None:
        """Close the stream, with whatever waits in it for room on the disk; the next line opens it anew."""
        stream, self._handler.stream = self._handler.stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()


class FailureNotice:
    """Tells a person that logs cannot be written, at most once a minute however many lines and logs fail."""

    def __init__(self, folder: Path, say: Callable[[str], None], *, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._say = say
        self._clock = clock
        self._next = float("-inf")

    def __call__(self, error: OSError) -> None:
        """A line could not be written."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _NOTICE_EVERY_S
        full = error.errno in NO_ROOM
        why = f"no space left in {self._folder}: free some" if full else f"{self._folder}: {error.strerror}"
        self._say(f"lines of the logs are being lost, {why}")
