"""Those who notice a load of others: a balancer that asks how the server is, and followers of its stream.

They run in a process of their own, so that what they see is not held up by the reading of large answers.
"""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from benchmarks.measuring.ask import Refused, ask
from benchmarks.measuring.load import Server, get

ASKED: Final = ("/api/hub/status", "/api/health", "/api/hub/health", "/metrics")
FOLLOWED: Final = ("dataset=ohlc", "dataset=market", "dataset=ohlc&symbol=SYM007USDT", "dataset=market&symbol=C007")
_PAUSE_S: Final = 0.1


@dataclass(slots=True)
class Noticed:
    """Seconds of each answer by path, and when which commit was told of: (sha, epoch s) by stream.

    Attributes:
        failed: by path, how many answers were not 200, or did not come.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in ASKED})
    failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASKED, 0))
    told: dict[str, list[tuple[str, float]]] = field(default_factory=lambda: {query: [] for query in FOLLOWED})


def run_probes(server: Server, *, duration_s: float) -> Noticed:
    """Ask and follow for `duration_s`."""
    noticed, until_s = Noticed(), time.monotonic() + duration_s
    with ThreadPoolExecutor(len(ASKED) + len(FOLLOWED)) as threads:
        work = [threads.submit(_ask, server, path, noticed, until_s=until_s) for path in ASKED]
        work += [threads.submit(_follow, server, query, noticed, until_s=until_s) for query in FOLLOWED]
    for one in work:
        one.result()
    return noticed


def _ask(server: Server, path: str, noticed: Noticed, *, until_s: float) -> None:
    """Ask ten times a second, over a new connection each time, as balancers do."""
    request = get(server, path, connection="close")
    while time.monotonic() < until_s:
        began_s = time.perf_counter()
        try:
            status = ask(server, request, timeout_s=30).status
        except OSError:
            status = 0
        noticed.seconds[path].append(time.perf_counter() - began_s)
        noticed.failed[path] += status != 200
        threading.Event().wait(_PAUSE_S)


def _follow(server: Server, query: str, noticed: Noticed, *, until_s: float) -> None:
    """Note which commit is told of when; an event is complete with the empty line after it.

    Raises:
        Refused: there is no such stream.        OSError: for longer than it may be silent nothing came.
    """
    name, commit = b"", ""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        sock.sendall(get(server, f"/api/hub/stream?{query}"))
        lines = sock.makefile("rb")
        if b" 200 " not in (first := lines.readline()):
            raise Refused(f"{first!r} to the stream of {query}")
        while time.monotonic() < until_s and (line := lines.readline()):
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"id: "):
                commit = line[4:].strip().decode("ascii")
            elif line == b"\n" and name == b"commit":
                noticed.told[query].append((commit, time.time()))
                name = b""
