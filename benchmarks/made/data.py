"""The made candles as files for the contestants, cached by seed outside git; how candles are made is in `candles`."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from benchmarks.environment import FOLDER
from benchmarks.made.candles import NOW_MS, SEED, candles
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.columns import ColumnKind

FILES: Final = FOLDER / "data" / f"{SEED}-{NOW_MS}-{ColumnKind.TIME.arrow.unit}"
"""Folder of all files made from this seed; another seed, end or unit of times makes another folder."""

SMALL_SYMBOLS: Final = 13
"""Pairs of the small history that refresh times are compared with: about 100 thousand candles."""

_SQLITE_TYPES: Final = {
    ColumnKind.TEXT: "TEXT",
    ColumnKind.NUMBER: "REAL",
    ColumnKind.COUNT: "INTEGER",
    ColumnKind.FLAG: "INTEGER",
}
_PEER_ORDER: Final = ("symbol", "interval", "timestamp")


def iso(column: str) -> pl.Expr:
    """A time column as the text SQLite holds and the peers print: `2026-11-01T12:00:00Z`, milliseconds if there are."""
    return pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").str.replace(".000Z", "Z", literal=True)


def frame() -> pl.DataFrame:
    """The 3 M candles, from the cached file when there is one."""
    return pl.read_parquet(_made("candles.parquet", lambda path: candles().write_parquet(path)))


def small_frame() -> pl.DataFrame:
    """About 100 thousand candles of the same kind."""
    return frame().filter(pl.col("symbol").is_in(frame()["symbol"].unique().sort().head(SMALL_SYMBOLS).implode()))


def parquet() -> Path:
    """All candles in one parquet file, sorted by the key, with statistics, page index and bloom-free defaults."""
    return _made("ohlc.parquet", _write_parquet)


def sqlite() -> Path:
    """All candles in one SQLite table that is clustered by the key, so that a series is one contiguous range."""
    return _made("ohlc.db", _write_sqlite)


def _made(name: str, write: Callable[[Path], None]) -> Path:
    path = FILES / name
    if not path.exists():
        print(f"making {name} (once) …", flush=True)
        FILES.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        write(partial)
        partial.rename(path)
    return path


def _write_parquet(path: Path) -> None:
    table = frame().sort(_PEER_ORDER).to_arrow().cast(OHLC.arrow_schema())
    pq.write_table(table, path, compression="zstd", row_group_size=50_000, write_page_index=True)


def _write_sqlite(path: Path) -> None:
    times = [column.name for column in OHLC.columns if column.kind is ColumnKind.TIME]
    rows = frame().sort(_PEER_ORDER).with_columns(iso(name) for name in times)
    columns = ", ".join(f'"{column.name}" {_SQLITE_TYPES.get(column.kind, "TEXT")}' for column in OHLC.columns)
    marks = ", ".join("?" * len(OHLC.columns))
    database = sqlite3.connect(path)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(f"CREATE TABLE ohlc ({columns}, PRIMARY KEY ({', '.join(OHLC.key)})) WITHOUT ROWID")
        database.executemany(f"INSERT INTO ohlc VALUES ({marks})", rows.iter_rows())  # noqa: S608 - marks only
        database.execute("ANALYZE")
        database.commit()
    finally:
        database.close()
