"""Prices in a day's file and sixty small ones, a new commit each time: a range over all, a difference, coverage.

The peers are libraries over the same files in this process: nothing is sent, no token is checked, no commit is pinned.
"""

import io
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl

from benchmarks.made.candles import SEED
from benchmarks.made.ticks import COINS, prices
from benchmarks.measuring.ask import ask, body_of
from benchmarks.measuring.equal import NotEqual
from benchmarks.measuring.load import get
from benchmarks.measuring.results import Row, against, ratio_at_most
from benchmarks.measuring.rounds import Effort, alternate
from benchmarks.servers.hub import layout
from benchmarks.servers.product import NAME, Product, product
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

_FILES: Final = 60
_HOUR_MS: Final = 1_793_534_400_000
"""2026-11-01 12:00:00 UTC: the hour whose rows lie in small files."""
_COLUMNS: Final = ("coin_id", "timestamp", "price", "market_cap", "volume_24h")
_PROBE: Final = "/api/hub/market?limit=1"
_MOST: Final = 50_000
_CHANGES: Final = 1_000
_POLARS: Final = "polars"
_DUCKDB: Final = "DuckDB"
_DEADLINE_S: Final = 30.0
Measure = Callable[[], tuple[float, Any]]
"""The milliseconds something took, and what it said, in a form all of them share."""


def measure(effort: Effort) -> list[Row]:
    """Three rows: milliseconds of a range over all series, of a difference of two commits, and of coverage."""
    with TemporaryDirectory(prefix="datahub-bench-") as name:
        folder = Path(name)
        before = _files(factor=1.0)
        with product(before, MARKET, home=folder, log=folder / "log", probe=_PROBE) as served:
            ours = _Ours(served, _files(factor=1.01))
            peers = _Peers(_saved(before, folder / "before"), _saved(ours.files, folder / "after"))
            asked: Mapping[str, Mapping[str, Measure]] = {
                f"all {COINS} coins of a day and an hour in {_FILES} small files": {
                    NAME: ours.rows, _POLARS: peers.rows_polars, _DUCKDB: peers.rows_duckdb
                },
                f"what changed in {_FILES} small files": {NAME: ours.changes, _POLARS: peers.changes_polars},
                f"coverage of {COINS} coins, {_FILES} small files": {
                    NAME: ours.coverage, _POLARS: peers.coverage_polars, _DUCKDB: peers.coverage_duckdb
                },
            }  # fmt: skip
            return [_row(work, contestants, effort) for work, contestants in asked.items()]


def _row(work: str, contestants: Mapping[str, Measure], effort: Effort) -> Row:
    said = {name: contestant()[1] for name, contestant in contestants.items()}
    for name, found in said.items():
        if found != said[NAME]:
            raise NotEqual(f"{work}: {NAME} and {name} differ")
    turns = {name: lambda _, one=contestant: one()[0] for name, contestant in contestants.items()}
    seen = alternate(turns, rounds=effort.rounds)
    ours = seen.pop(NAME)
    return against(work, ours, peers=seen, unit="ms", target=ratio_at_most(1), less_is_better=True)


def _files(*, factor: float) -> dict[str, bytes]:
    """Half a day at a row a coin every ten minutes, and a file for each minute of the hour, as publishes leave them."""
    rng = np.random.default_rng(SEED)
    day = np.arange(_HOUR_MS - DAY_MS // 2, _HOUR_MS, 10 * MINUTE_MS)
    files = layout(MARKET, prices(rng, times_ms=day), now_ms=_HOUR_MS + HOUR_MS)
    for number in range(_FILES):
        tick = prices(rng, times_ms=np.array([_HOUR_MS + number * MINUTE_MS]))
        changed = tick.with_columns(pl.col("price") * factor)
        files |= layout(MARKET, changed, now_ms=_HOUR_MS + (number + 10) * MINUTE_MS)
    return files


def _saved(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """The files on disk, named for the peers."""
    folder.mkdir()
    paths = [folder / f"{number}.parquet" for number in range(len(files))]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = work()
    return (time.perf_counter() - started) * 1000, made


class _Ours:
    """The API, asked over HTTP, of a commit that was made just before: nothing of the answer is known yet."""

    def __init__(self, served: Product, files: dict[str, bytes]) -> None:
        self.files = files
        self._served = served
        self._first = self._head()
        served.hub.commit(MARKET, files)
        self._notes = 0

    def _head(self) -> str:
        return ask(self._served.server, get(self._served.server, _PROBE)).headers["x-revision"].rpartition("@")[2]

    def _committed(self) -> str:
        """A new commit with the same rows, once it is served."""
        self._notes += 1
        commit = self._served.hub.commit(MARKET, {f"notes/{self._notes}.txt": b"note"})
        deadline = time.perf_counter() + _DEADLINE_S
        while self._head() != commit:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{commit} is not served within {_DEADLINE_S:g} s")
            time.sleep(0.01)
        return commit

    def _asked(self, path: str) -> tuple[float, bytes]:
        return _timed(lambda: body_of(self._served.server, get(self._served.server, path)))

    def rows(self) -> tuple[float, Any]:
        self._committed()
        values = f"start={_HOUR_MS - DAY_MS}&limit={_MOST}&columns={','.join(_COLUMNS)}&format=arrow"
        took, body = self._asked(f"/api/hub/market?{values}")
        return took, pl.read_ipc_stream(io.BytesIO(body)).rows()

    def changes(self) -> tuple[float, Any]:
        commit = self._committed()
        took, body = self._asked(f"/api/hub/diff?dataset=market&from={self._first}&to={commit}&limit={_CHANGES}")
        found = json.loads(body)
        return took, (found["counts"], [(one["before"]["price"], one["after"]["price"]) for one in found["changed"]])

    def coverage(self) -> tuple[float, Any]:
        self._committed()
        took, body = self._asked("/api/hub/coverage?dataset=market")
        return took, sorted((one["series"], one["rows"]) for one in json.loads(body)["series"])


class _Peers:
    """What one would write with a library over the same files."""

    def __init__(self, before: list[str], after: list[str]) -> None:
        self._before, self._after = before, after

    def rows_polars(self) -> tuple[float, Any]:
        took, body = _timed(lambda: _stream(self._range()))
        return took, pl.read_ipc_stream(io.BytesIO(body)).rows()

    def _range(self) -> pl.DataFrame:
        since = pl.col("timestamp").dt.epoch("ms") >= _HOUR_MS - DAY_MS
        rows = pl.scan_parquet(self._after).select(_COLUMNS).filter(since)
        return rows.sort("timestamp", "coin_id").head(_MOST).collect()

    def rows_duckdb(self) -> tuple[float, Any]:
        sql = (
            f"SELECT {', '.join(_COLUMNS)} FROM read_parquet($files) "  # noqa: S608 - constants only
            f"WHERE timestamp >= make_timestamptz($since) ORDER BY timestamp, coin_id LIMIT {_MOST}"
        )
        values = {"files": self._after, "since": (_HOUR_MS - DAY_MS) * 1000}
        took, body = _timed(lambda: _stream(pl.DataFrame(duckdb.connect().sql(sql, params=values).to_arrow_table())))
        return took, pl.read_ipc_stream(io.BytesIO(body)).rows()

    def changes_polars(self) -> tuple[float, Any]:
        took, found = _timed(self._changed)
        return took, (found["counts"], [(one["price"], one["price_right"]) for one in json.loads(found["rows"])])

    def _changed(self) -> dict[str, Any]:
        """All columns of both versions as JSON, as ours."""
        key, old, new = list(MARKET.key), pl.read_parquet(self._before), pl.read_parquet(self._after)
        both = old.join(new, on=key, how="inner")
        values = [name for name in MARKET.column_names if name not in key]
        changed = both.filter(pl.any_horizontal(pl.col(one).ne_missing(pl.col(f"{one}_right")) for one in values))
        added, removed = new.join(old, on=key, how="anti"), old.join(new, on=key, how="anti")
        counts = {"added": added.height, "changed": changed.height, "removed": removed.height}
        return {"counts": counts, "rows": changed.sort(key).head(_CHANGES).write_json()}

    def coverage_polars(self) -> tuple[float, Any]:
        def work() -> list[tuple[str, int]]:
            told = pl.len(), pl.min("timestamp").alias("oldest"), pl.max("timestamp").alias("newest")
            found = pl.scan_parquet(self._after).group_by("coin_id").agg(*told).collect()
            return sorted(found.select("coin_id", "len").rows())

        return _timed(work)

    def coverage_duckdb(self) -> tuple[float, Any]:
        sql = "SELECT coin_id, count(*), min(timestamp), max(timestamp) FROM read_parquet($files) GROUP BY 1 ORDER BY 1"
        took, rows = _timed(lambda: duckdb.connect().execute(sql, {"files": self._after}).fetchall())
        return took, [row[:2] for row in rows]


def _stream(frame: pl.DataFrame) -> bytes:
    """The rows as an Arrow stream, as ours sends them."""
    out = io.BytesIO()
    frame.write_ipc_stream(out)
    return out.getvalue()
