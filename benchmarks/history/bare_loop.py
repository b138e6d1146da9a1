"""`python -m benchmarks.history.bare_loop FOLDER PAIRS MONTHS TARGET`: unzips, parses and writes, and nothing else.

The files it writes have the rows, the columns and the encoding of those the product commits. Nothing is fetched,
checked, merged or told. Prints one line of JSON: rows and seconds.
"""

import json
import sys
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.history.files import INTERVAL, Size, month_zip
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.history import Month
from datahub_assets.domain.rows import from_epoch_ms
from datahub_assets.domain.times import DAY_MS, utc_datetime
from datahub_assets.stores.hub.layout import FileWriter

_NAMES = (
    *("timestamp", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trade_count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
_WHOLE = ("timestamp", "close_time", "trade_count", "ignore")
_CSV = {name: pl.Int64() if name in _WHOLE else pl.Float64() for name in _NAMES}


def main() -> None:
    """Do it."""
    folder, pairs, months, target = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    size = Size(pairs, months)
    began = time.perf_counter()
    rows = sum(_month(folder, target, size, month) for month in size.all_months)
    print(json.dumps({"rows": rows, "elapsed_s": time.perf_counter() - began}))


def _month(folder: Path, target: Path, size: Size, month: Month) -> int:
    starts = range(month.start_ms, month.end_ms, DAY_MS)
    count = 0
    with ExitStack() as stack:
        writers = []
        for start in starts:
            file = stack.enter_context((target / f"{utc_datetime(start):%Y-%m-%d}.parquet").open("wb"))
            writers.append(stack.enter_context(FileWriter(OHLC, file)))
        for symbol in size.symbols:
            rows = _rows(month_zip(folder, symbol, month), symbol)
            table = rows.to_arrow().cast(OHLC.arrow_schema())
            bounds = np.searchsorted(rows["timestamp"].dt.epoch("ms").to_numpy(), [*starts[1:], month.end_ms])
            first = 0
            for writer, last in zip(writers, bounds.tolist(), strict=True):
                writer.add(table.slice(first, last - first))
                first = last
            count += rows.height
        for writer in writers:
            writer.close()
    return count


def _rows(path: Path, symbol: str) -> pl.DataFrame:
    with zipfile.ZipFile(path) as archive:
        content = archive.read(archive.namelist()[0])
    table = pl.read_csv(content, has_header=False, schema=_CSV)
    return table.with_columns(
        from_epoch_ms(pl.col("timestamp")),
        from_epoch_ms(pl.col("close_time")),
        pl.lit(symbol).alias("symbol"),
        pl.lit(INTERVAL).alias("interval"),
        pl.lit(value=True).alias("closed"),
        pl.lit(OHLC.provider).alias("provider"),
        from_epoch_ms(pl.lit(0)).alias("ingested_at"),
    ).select(OHLC.column_names)


if __name__ == "__main__":
    main()
