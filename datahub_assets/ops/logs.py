"""Where the lines of a process go: split, secrets blotted out, into a rotated file.

Which lines a terminal shows is not decided here.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

_FILE_BYTES = 5 * 1024 * 1024
_KEPT_FILES = 4
_LONGEST_LINE_BYTES = 64 * 1024
_SHORTEST_SECRET = 6
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


class LogFile:
    """`<folder>/<name>.log`, five files of 5 MiB at most; each line carries its UTC time and the process's name."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.log"
        self._name = name
        self._handler = RotatingFileHandler(
            self.path, maxBytes=_FILE_BYTES, backupCount=_KEPT_FILES, encoding="utf-8", delay=True
        )

    def write(self, line: str) -> None:
        """Append one line."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = f"{stamp}Z {self._name} | {line}"
        self._handler.emit(logging.LogRecord(self._name, logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
