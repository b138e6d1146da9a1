"""`python -m benchmarks.history.archive_server FOLDER`: serves made files and their list, as Binance's archive does.

Prints its port once it listens, and serves until it is ended.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.environment import HERE, quiet_environment
from benchmarks.servers.processes import running

_LIST: Final = "/bucket"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder = Path()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == _LIST:
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            self._send(200, _listed(self.folder, query.get("prefix", ""), delimiter=query.get("delimiter", "")))
            return
        path = (self.folder / asked.path.lstrip("/")).resolve()
        is_there = path.is_relative_to(self.folder) and path.is_file()
        self._send(200, path.read_bytes()) if is_there else self._send(404, b"no such file")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: it would be measured too."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _listed(folder: Path, prefix: str, *, delimiter: str) -> bytes:
    """All keys that begin so, or the folders right below; on one page, which a year of a pair fits on."""
    beside = folder / prefix.rpartition("/")[0]
    found = sorted(beside.iterdir()) if beside.is_dir() else []
    names = [str(path.relative_to(folder)) + ("/" if path.is_dir() else "") for path in found]
    entry = (
        "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>" if delimiter else "<Contents><Key>{}</Key></Contents>"
    )
    body = "".join(entry.format(name) for name in names if name.startswith(prefix))
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{body}</ListBucketResult>".encode()


@dataclass(frozen=True, slots=True)
class Archive:
    """Where it listens."""

    url: str

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings that point to it."""
        return {"BINANCE_ARCHIVE_URL": self.url, "BINANCE_ARCHIVE_LIST_URL": f"{self.url}{_LIST}"}


@contextmanager
def archive(folder: Path, *, log: Path) -> Iterator[Archive]:
    """Serve the folder, in a process of its own, for the time of the block."""
    env = quiet_environment(PYTHONPATH=str(HERE.parent))
    argv = [sys.executable, "-m", "benchmarks.history.archive_server", str(folder)]
    with running(argv, log=log, env=env, ready=lambda: log.read_text(encoding="utf-8").endswith("\n")):
        yield Archive(f"http://127.0.0.1:{int(log.read_text(encoding='utf-8').splitlines()[0])}")


def main() -> None:
    """Serve."""
    _Handler.folder = Path(sys.argv[1]).resolve()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
