"""A real pool of confined workers over real files, and what must not get out of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.pool import SandboxPool, SqlResult
from api.sql.sandbox.snapshot import SqlSnapshot, SqlTable
from datahub_assets.datasets.candles.intervals import INTERVALS
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.rows import frame_of
from tests.earlier_form import IN_MS, schema_with_times

SECRET = "s3cret-that-must-not-get-out"
START_MS = 1_735_689_600_000  # 2025-01-01
SYMBOLS = ("BTCUSDT", "DOGEUSDT", "ETHUSDT")
CANDLES = 100
GAPS = pa.schema([("symbol", pa.string()), ("interval", pa.string()), ("from", pa.timestamp("us", "UTC"))])


class Loop:
    """An event loop in a thread of its own, so that plain tests can have statements run at the same time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Any], *, timeout_s: float = 60) -> Any:
        return self.begin(work).result(timeout_s)

    def call(self, function: Callable[[], None]) -> None:
        async def called() -> None:
            function()

        self.run(called())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass(frozen=True)
class Sandbox:
    """A pool on its loop, with a snapshot to ask."""

    loop: Loop
    pool: SandboxPool
    snapshot: SqlSnapshot

    def begin(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), **options: Any) -> "Future[SqlResult]":
        return self.loop.begin(self.pool.run(sql, params, **({"snapshot": self.snapshot} | options)))

    def run(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), **options: Any) -> SqlResult:
        return self.begin(sql, params, **options).result(60)

    def rows(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), **options: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.run(sql, params, **options).table.to_pylist()
        return rows

    def until(self, condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come about"
            time.sleep(0.01)

    def until_all_ready(self) -> None:
        self.until(lambda: self.pool.state.ready == self.pool.size)


def candles(interval: str) -> pa.Table:
    """100 candles each of three pairs, sorted as the files on the Hub are."""
    step = INTERVALS[interval].length_ms
    rows = [
        {
            "symbol": symbol,
            "interval": interval,
            "timestamp": START_MS + number * step,
            "close_time": START_MS + (number + 1) * step - 1,
            "open": float(number),
            "high": number + 2.0,
            "low": number - 1.0,
            "close": number + 1.0,
            "volume": 10.0,
            "quote_volume": 20.0,
            "trade_count": number,
            "taker_buy_volume": 1.0,
            "taker_buy_quote_volume": 2.0,
            "closed": number < CANDLES - 1,
            "provider": "binance",
            "ingested_at": START_MS + (number + 1) * step,
        }
        for symbol in SYMBOLS
        for number in range(CANDLES)
    ]
    return frame_of(OHLC, rows).to_arrow().cast(OHLC.arrow_schema())


def write_arrow(path: Path, table: pa.Table, *, batch_rows: int | None = None) -> Path:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return path


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> SqlSnapshot:
    folder = tmp_path_factory.mktemp("sql-files")
    hourly = write_arrow(folder / "1h.arrow", candles("1h"))
    daily = folder / "1d.parquet"
    of_earlier = schema_with_times(OHLC.arrow_schema(), IN_MS)
    pq.write_table(candles("1d").cast(of_earlier), daily, row_group_size=100)
    return SqlSnapshot(
        key="ohlc@1",
        tables={
            "ohlc": SqlTable(OHLC.arrow_schema(), (hourly, daily)),
            "market": SqlTable(MARKET.arrow_schema()),
            "gaps": SqlTable(GAPS),
        },
    )


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@contextmanager
def running(loop: Loop, snapshot: SqlSnapshot, *, workers: int = 2, **limits: Any) -> Iterator[Sandbox]:
    """A sandbox with these limits, all of its workers up."""
    pool = SandboxPool(SqlLimits(**limits), workers=workers)
    sandbox = Sandbox(loop, pool, snapshot)
    try:
        loop.call(pool.start)
        sandbox.until_all_ready()
        yield sandbox
    finally:
        loop.run(pool.close())


@pytest.fixture(scope="session")
def sandbox(loop: Loop, snapshot: SqlSnapshot) -> Iterator[Sandbox]:
    with running(loop, snapshot) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def guarded(loop: Loop, snapshot: SqlSnapshot) -> Iterator[Sandbox]:
    """Tight limits, and a secret in the server's environment: by module, as other tests must not find it there."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_TOKEN", f"hf_{SECRET}")
    with running(loop, snapshot, timeout_s=1.0, memory_mb=128, max_rows=10_000, max_bytes=4 << 20) as sandbox:
        yield sandbox
    patch.undo()
