"""The ledgers of the candle dataset: gaps, and what the exchange corrected afterwards."""

from typing import Final

import polars as pl

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.ledgers import LedgerSpec

RECHECKED_CANDLES: Final = 72
"""So many of a series' last candles are compared with the exchange's again and again; nobody looks at older ones."""


def _corrected_columns(spec: DatasetSpec) -> tuple[Column, ...]:
    """For each value a closed candle carries, the one published before and the one upstream tells now."""
    fixed = {*spec.key, "closed", "provider", "ingested_at"}
    values = [column for column in spec.columns if column.name not in fixed]
    return tuple(
        Column(f"{prefix}_{column.name}", column.kind, f"{when}: {column.doc}")
        for column in values
        for prefix, when in (("old", "before"), ("new", "now"))
    )


GAPS: Final = LedgerSpec(
    name="gaps",
    path="gaps/gaps.parquet",
    summary="Candles that should exist between the first and the last one of a series, and do not (or did not).",
    columns=(
        Column("symbol", ColumnKind.TEXT, "pair in the exchange's spelling"),
        Column("interval", ColumnKind.TEXT, "candle length"),
        Column("first_time", ColumnKind.TIME, "open time of the first missing candle, UTC"),
        Column("last_time", ColumnKind.TIME, "open time of the last missing candle, UTC"),
        Column("candles", ColumnKind.COUNT, "how many candles are missing"),
        Column(
            "cause",
            ColumnKind.TEXT,
            "`not_fetched`: not asked for successfully yet; `exchange_had_none`: asked again and answered without; "
            "`quarantined`: it came, and failed a check",
        ),
        Column("first_seen", ColumnKind.TIME, "when the gap was noticed, UTC"),
        Column("asked_at", ColumnKind.TIME, "when the exchange was last asked for it, UTC"),
        Column("asks", ColumnKind.COUNT, "how often the exchange was asked for it"),
        Column("healed_at", ColumnKind.TIME, "when the candles arrived after all, UTC; null while they are missing"),
        Column("updated_at", ColumnKind.TIME, "when this line last changed, UTC"),
    ),
    key=("symbol", "interval", "first_time"),
    latest="updated_at",
)


CORRECTIONS: Final = LedgerSpec(
    name="corrections",
    path="corrections/corrections.parquet",
    summary="Closed candles whose values the exchange changed afterwards: the old and the new values. Changes of the "
    f"last {RECHECKED_CANDLES} candles of a series are noticed: those are asked for again about once an hour.",
    columns=(
        Column("symbol", ColumnKind.TEXT, "pair in the exchange's spelling"),
        Column("interval", ColumnKind.TEXT, "candle length"),
        Column("timestamp", ColumnKind.TIME, "open time of the candle, UTC"),
        Column("corrected_at", ColumnKind.TIME, "when the new values were fetched, UTC"),
        Column("previously_at", ColumnKind.TIME, "when the old values were fetched, UTC"),
        *_corrected_columns(OHLC),
    ),
    key=("symbol", "interval", "timestamp", "corrected_at"),
    latest="previously_at",
)


def corrections(spec: DatasetSpec, *, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Lines for closed rows of `before` that have other values in `after` (rows of the spec, matched by key)."""
    values = [column.name for column in spec.columns if column.name not in {*spec.key, "closed", "provider"}]
    pairs = (
        before.filter(pl.col("closed"))
        .select([*spec.key, *(pl.col(name).alias(f"old_{name}") for name in values)])
        .join(
            after.filter(pl.col("closed")).select([*spec.key, *(pl.col(name).alias(f"new_{name}") for name in values)]),
            on=list(spec.key),
        )
        .rename({"old_ingested_at": "previously_at", "new_ingested_at": "corrected_at"})
    )
    return pairs.select(CORRECTIONS.column_names)
