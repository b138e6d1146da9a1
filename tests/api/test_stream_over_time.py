"""The stream as it is served, while time goes by: silence is broken, and who does not read is let go.

The intervals are shortened; everything else is the application over a real Hub, behind the server it is run on.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.asgi import create_app_with
from api.engine.create import create_engine
from api.http import delivery
from api.stream import subscribers
from api.stream.feed import Feed
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.settings import Settings
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.following import WAIT_S, following
from tests.api.workers import Workers, candles
from tests.serving import served as serving

BEAT_S = 0.2


@dataclass(frozen=True)
class Served:
    url: str
    feed: Feed

    @property
    def listeners(self) -> int:
        return len(self.feed._listeners)


@contextmanager
def served(hub: HubServer, home: Path) -> Iterator[Served]:
    """The application in this process, behind the server it is run on."""
    settings = Settings.from_env(
        {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(home), "DATAHUB_POLL_S": "0.2"}
    )
    engine = create_engine(settings)
    app = create_app_with(settings, engine)
    feed = app.dependencies["feed"].dependency()  # type: ignore[union-attr]
    with serving(app, lifespan="on", on_stopping=feed.end) as (host, port):
        until(lambda: len(feed.state) == len(DATASETS))
        yield Served(f"http://{host}:{port}", feed)


def test_silence_is_broken_as_long_as_it_lasts(
    hub: HubServer, seeded: Workers, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "HEARTBEAT_S", BEAT_S)
    token = {"Authorization": f"Bearer {hub.token}"}
    with served(hub, tmp_path) as server:
        began_s = time.monotonic()
        with httpx.stream("GET", f"{server.url}/api/hub/stream", headers=token) as answer:
            lines = answer.iter_lines()
            seen = ""
            while not seen.startswith("event: ready"):
                seen = next(lines)
            for _ in range(5):
                while not next(lines).startswith(": "):
                    pass
            assert time.monotonic() - began_s >= 5 * BEAT_S, "only silence is broken"
            sha = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=1))
            while not (seen.startswith("id: ") and sha in seen):
                seen = next(lines)
            while not seen.startswith(": "):
                seen = next(lines)


def test_a_follower_that_does_not_read_is_let_go_and_the_others_stay(
    hub: HubServer, seeded: Workers, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "HEARTBEAT_S", BEAT_S)
    monkeypatch.setattr(delivery, "PATIENCE_S", 1.0)
    with served(hub, tmp_path) as server, following(server.url, hub, dataset="ohlc") as (quick, _):
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", urlsplit(server.url).port))
            slow.sendall(
                f"GET /api/hub/stream HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {hub.token}\r\n\r\n".encode()
            )
            until(lambda: server.listeners == 2)
            for seed in range(1, 8):
                sha = workers.publish(OHLC, candles(count=5_000, seed=seed))
                assert quick.next().id == sha
                if server.listeners == 1:
                    break
            until(lambda: server.listeners == 1)
            slow.settimeout(WAIT_S)
            while slow.recv(1 << 20):
                pass  # what was on its way; then it is over
        sha = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=99))
        assert quick.next().id == sha
