"""The ledgers of candles as versions up to 0.1 wrote them, turned into lines of today's form.

Gaps had a column for the pair and one for the interval, and counted `candles`. Corrections had a line per candle with
an old and a new column for each value; a value that had not changed stood there twice. Times are moments in files, and
epoch milliseconds in the cache: as `timestamp[ms, UTC]` they are the same.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

_DATASET: Final = "ohlc"
_OLD: Final = "old_"
_GAP_TIMES: Final = ("first_time", "last_time", "first_seen", "asked_at", "healed_at", "updated_at")
_CORRECTION_TIMES: Final = ("timestamp", "corrected_at", "old_close_time", "new_close_time")


def gaps(lines: "pl.DataFrame") -> "pl.DataFrame":
    """Lines of the ledger of gaps."""
    import polars as pl  # noqa: PLC0415 - the spec names this, and is loaded by commands that should not wait for it

    from datahub_assets.domain.ledgers import DATASET, named_text  # noqa: PLC0415 - as above

    series = [named_text({"symbol": symbol, "interval": name}) for symbol, name in lines["symbol", "interval"].rows()]
    renamed = _with_moments(lines, _GAP_TIMES).rename({"candles": "missing"}).drop("symbol", "interval")
    return renamed.with_columns(pl.lit(_DATASET).alias(DATASET), pl.Series("series", series, dtype=pl.String))


def corrections(lines: "pl.DataFrame") -> "pl.DataFrame":
    """Lines of the ledger of corrections: one per value that changed."""
    import polars as pl  # noqa: PLC0415 - as above

    from datahub_assets.domain.ledgers import DATASET  # noqa: PLC0415 - as above

    lines = _with_moments(lines, _CORRECTION_TIMES)
    texts = dict.fromkeys((DATASET, "key", "column", "old", "new"), pl.String())
    schema = {**texts, "corrected_at": lines.schema["corrected_at"]}
    names = [name.removeprefix(_OLD) for name in lines.columns if name.startswith(_OLD)]
    found = [value for line in lines.iter_rows(named=True) for value in _changed(line, names)]
    return pl.DataFrame(found, schema=schema, orient="row")


def _with_moments(lines: "pl.DataFrame", times: tuple[str, ...]) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415 - as above

    moment = pl.Datetime("ms", "UTC")
    return lines.with_columns(pl.col(name).cast(moment) for name in times if name in lines.columns)


def _changed(line: Mapping[str, Any], names: list[str]) -> Iterator[tuple[Any, ...]]:
    from datahub_assets.domain.ledgers import named_text, value_text  # noqa: PLC0415 - as above

    key = named_text({name: line[name] for name in ("symbol", "interval", "timestamp")})
    for name in names:
        old, new = line[_OLD + name], line[f"new_{name}"]
        if old != new:
            yield _DATASET, key, name, value_text(old), value_text(new), line["corrected_at"]
