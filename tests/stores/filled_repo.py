"""A repo of candles with sealed files, ledgers and corrections, for tests that turn it into an earlier form."""

from pathlib import Path

import polars as pl

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from tests.stores.world import (
    CORRECTIONS,
    GAPS,
    START_MS,
    Site,
    candles,
    ledger_on_hub,
    paths_on_hub,
)

LATER_MS = START_MS + MINUTE_MS
HOLE_MS = START_MS - START_MS % HOUR_MS - 3 * HOUR_MS
FIRST_SEALED = "data/1h/2025-10.parquet"


def fill(site: Site) -> Site:
    """A repo of candles with sealed files of two intervals, a gap and corrections."""
    rows = [candles(START_MS, pairs=2, back=back, intervals=[name]) for name, back in (("1h", 60 * 24), ("1d", 500))]
    site.tick(OHLC, pl.concat(rows).filter(pl.col("timestamp").dt.epoch("ms") != HOLE_MS), now_ms=START_MS)
    fixed = rows[0].filter(pl.col("timestamp").dt.epoch("ms") == HOLE_MS - HOUR_MS)
    site.tick(
        OHLC, fixed.with_columns(close=pl.col("close") + 0.25, ingested_at=later(fixed)), now_ms=START_MS + 30_000
    )
    sealed = [path for path in paths_on_hub(OHLC, site.hub) if is_sealed(OHLC, path)]
    assert {path.split("/")[1] for path in sealed} == {"1h", "1d"}
    assert len(sealed) >= 5
    assert (ledger_on_hub(OHLC, GAPS, site.hub).height, ledger_on_hub(OHLC, CORRECTIONS, site.hub).height) == (2, 2)
    return site


def later(frame: pl.DataFrame) -> pl.Expr:
    return pl.lit(START_MS + 1000).cast(pl.Datetime("ms", "UTC")).cast(frame.schema["ingested_at"])


def lines(site: Site) -> list[pl.DataFrame]:
    return [ledger_on_hub(OHLC, ledger, site.hub) for ledger in (GAPS, CORRECTIONS)]


def spool(site: Site) -> Path:
    return site.home / "rewritten" / OHLC.name
