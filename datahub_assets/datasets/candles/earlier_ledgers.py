"""The ledgers of candles as versions up to 0.1 wrote them, turned into lines of today's form.

Gaps had a column for the pair and one for the interval, and counted `candles`. Corrections had a line per candle with
an old and a new column for each value; a value that had not changed stood there twice. Times are moments in files, and
epoch milliseconds in the cache.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from datahub_assets.domain.ledgers import DATASET, named_text, value_text

_DATASET: Final = "ohlc"
_OLD: Final = "old_"
_MOMENT: Final = pl.Datetime("ms", "UTC")


def gaps(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of the ledger of gaps."""
    series = [named_text({"symbol": symbol, "interval": name}) for symbol, name in lines["symbol", "interval"].rows()]
    renamed = lines.rename({"candles": "missing"}).drop("symbol", "interval")
    return renamed.with_columns(pl.lit(_DATASET).alias(DATASET), pl.Series("series", series, dtype=pl.String))


def corrections(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of the ledger of corrections: one per value that changed."""
    schema = {
        **dict.fromkeys((DATASET, "key", "column", "old", "new"), pl.String()),
        "corrected_at": _MOMENT,
    }
    times = ("timestamp", "corrected_at", "old_close_time", "new_close_time")
    lines = lines.with_columns(pl.col(name).cast(_MOMENT) for name in times if name in lines.columns)
    names = [name.removeprefix(_OLD) for name in lines.columns if name.startswith(_OLD)]
    found = [value for line in lines.iter_rows(named=True) for value in _changed(line, names)]
    return pl.DataFrame(found, schema=schema, orient="row")


def _changed(line: Mapping[str, Any], names: list[str]) -> Iterator[tuple[Any, ...]]:
    key = named_text({name: line[name] for name in ("symbol", "interval", "timestamp")})
    for name in names:
        old, new = line[_OLD + name], line[f"new_{name}"]
        if old != new:
            yield _DATASET, key, name, value_text(old), value_text(new), line["corrected_at"]
