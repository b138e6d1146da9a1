"""Answers of SQL as they are served: the same bytes by every process over a Hub, on one core or all, after restarts."""

import hashlib
import itertools
import os
from pathlib import Path

import httpx
import psutil
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.workers import Workers, candles

SYMBOLS = tuple(f"PAIR{number:02}USDT" for number in range(20))
EACH = 2_100
"""Candles of a symbol and interval: 126,000 in all, enough for DuckDB to give a second thread work."""
FORMATS = ("json", "columns", "ndjson", "csv", "parquet", "arrow")
STATEMENTS = (
    "SELECT symbol, interval, count(*), sum(close) FROM ohlc GROUP BY ALL ORDER BY ALL",
    "SELECT first(close), any_value(volume), mode(trade_count // 1000), approx_quantile(close, 0.3) FROM ohlc",
    "SELECT trade_count // 10 AS n, sum(volume), list(close) FROM ohlc GROUP BY n LIMIT 3000",
    "SELECT a.symbol, b.close FROM ohlc a JOIN ohlc b USING (timestamp, interval) WHERE interval = '1d' LIMIT 20000",
    "SELECT CASE WHEN trade_count % 3 > 0 THEN close END, nullif(closed, trade_count % 5 = 0) FROM ohlc LIMIT 50000",
)


def answers(url: str, token: str, *, revision: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    """By statement and format: a digest of the body, the ETag, and how long it may be kept."""
    found = {}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        for sql, form in itertools.product(STATEMENTS, FORMATS):
            answer = client.get("/api/hub/sql", params={"q": sql, "format": form, "revision": revision})
            assert answer.status_code == 200, answer.text
            named = answer.headers["etag"], answer.headers["cache-control"]
            found[sql, form] = (hashlib.sha256(answer.content).hexdigest(), *named)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_replicas_and_restarts_give_the_same_bytes(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    sha = [seeded.publish(OHLC, candles(SYMBOLS, interval=interval, count=EACH)) for interval in ("1h", "4h", "1d")][-1]
    home, cores = tmp_path / "home", os.sched_getaffinity(0)
    with serving_process(hub, home) as url:
        first = answers(url, hub.token, revision=f"ohlc@{sha}")
    assert all("immutable" in kept for _, _, kept in first.values())
    with serving_process(hub, home) as url:  # its files are mapped already
        assert answers(url, hub.token, revision=f"ohlc@{sha}") == first
    psutil.Process().cpu_affinity([min(cores)])  # which processes inherit
    try:
        with serving_process(hub, tmp_path / "other", DATAHUB_SQL_MEMORY_MB="256") as url:
            assert answers(url, hub.token, revision=f"ohlc@{sha}") == first
    finally:
        psutil.Process().cpu_affinity(list(cores))
