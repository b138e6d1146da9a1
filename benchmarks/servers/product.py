"""The product as a contestant: an embedded Hub with made history and the API over it, as `datahub up` starts them.

The rate limit is set far above what a benchmark asks rather than switched off, so that its cost is in the figures.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import psutil

from benchmarks.environment import quiet_environment
from benchmarks.made.questions import COLUMNS, Bulk, Daily, Newest
from benchmarks.measuring.ask import status_of
from benchmarks.measuring.load import Server, get, post
from benchmarks.servers.hub import Hub, embedded_hub
from benchmarks.servers.processes import free_port, running
from datahub_assets.datasets.spec import DatasetSpec

NAME: Final = "Data Hub"
PROBE: Final = "/api/hub/ohlc?symbol=SYM000USDT&interval=1h&limit=1"

_MANY_REQUESTS: Final = "100000000"
_SECRET: Final = "benchmark-webhook-secret"  # noqa: S105 - loopback only, for the time of a benchmark
_DAILY: Final = """
SELECT CAST(timestamp AS DATE) AS day, arg_min(open, timestamp) AS open, max(high) AS high, min(low) AS low,
       arg_max(close, timestamp) AS close, sum(volume) AS volume
FROM ohlc WHERE symbol = $symbol AND interval = '1h'
  AND timestamp >= make_timestamptz($start * 1000) AND timestamp < make_timestamptz($end * 1000) AND volume >= $least
GROUP BY 1 ORDER BY 1"""


def newest_path(question: Newest) -> str:
    """Path and query of the candles endpoint for the newest candles of one series."""
    values = {"symbol": question.symbol, "interval": question.interval, "limit": question.limit}
    return "/api/hub/ohlc?" + urlencode(values)


def daily_request(server: Server, question: Daily) -> bytes:
    """A request for the daily aggregate, by SQL with its values bound."""
    values = {
        "symbol": question.symbol,
        "start": question.start_ms,
        "end": question.end_ms,
        "least": question.least_volume,
    }
    body = json.dumps({"sql": _DAILY, "params": values}).encode()
    return post(server, "/api/hub/sql", body, content_type="application/json")


def bulk_request(server: Server, question: Bulk) -> bytes:
    """A request for the candles of several symbols in a range."""
    values = {
        "symbol": ",".join(question.symbols),
        "interval": "1h",
        "start": question.start_ms,
        "end": question.end_ms,
        "limit": 50_000,
        "columns": ",".join(COLUMNS),
        "format": question.format.value,
    }
    return get(server, "/api/hub/ohlc?" + urlencode(values))


@dataclass(frozen=True, slots=True)
class Product:
    """A running API with its Hub."""

    server: Server
    hub: Hub
    process: psutil.Process
    name: str = NAME

    def newest(self, question: Newest) -> bytes:
        """The candles endpoint."""
        return get(self.server, newest_path(question))

    def daily(self, question: Daily) -> bytes:
        """The SQL endpoint, values bound."""
        return daily_request(self.server, question)

    def bulk(self, question: Bulk) -> bytes:
        """The candles endpoint with several symbols and a range; its end is inclusive of the last candle only."""
        return bulk_request(self.server, question)


@contextmanager
def product(
    files: dict[str, bytes], spec: DatasetSpec, *, home: Path, log: Path, probe: str = PROBE
) -> Iterator[Product]:
    """Seed a fresh Hub in `home` with the files and serve it for the time of the block, webhook wired.

    It is there as soon as a GET of `probe` is answered.
    """
    hub_port, api_port = free_port(), free_port()
    url = f"http://127.0.0.1:{api_port}"
    serve = [sys.executable, "-m", "localhub", "serve", "--home", str(home / "hub"), "--port", str(hub_port)]
    webhook = ["--webhook-url", f"{url}/api/hub/webhook", "--webhook-secret-env", "DATAHUB_WEBHOOK_SECRET"]
    argv = [*serve, "--token-file", str(home / "token"), *webhook]
    env = quiet_environment(
        DATAHUB_HOME=str(home),
        DATAHUB_API_PORT=str(api_port),
        DATAHUB_LOCALHUB_PORT=str(hub_port),
        DATAHUB_RATE_LIMIT_PER_MIN=_MANY_REQUESTS,
        DATAHUB_WEBHOOK_SECRET=_SECRET,
        HF_HUB_DISABLE_XET="1",
    )
    with embedded_hub(argv, env=env, home=home, port=hub_port, log=log) as hub:
        hub.commit(spec, files)
        server = Server(api_port, {"authorization": f"Bearer {hub.token}"})
        ready = get(server, probe)
        api = [sys.executable, "-m", "api", "serve"]
        with running(api, log=log, env=env, ready=lambda: status_of(server, ready) == 200) as process:
            yield Product(server, hub, psutil.Process(process.pid))
