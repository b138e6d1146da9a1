"""`ohlc_candles`: ask Binance for candles since each series' last stored one. What comes after, all chains share."""

from datahub_assets.datasets.candles import refetch_gaps
from datahub_assets.datasets.candles.client.fetch import fetch_candles
from datahub_assets.datasets.candles.client.refused import UNKNOWN
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.fetched import Fetched


@asset_of(
    OHLC,
    description="Candles from Binance since the last stored ones, checked and landed on disk.",
    then=lambda run: refetch_gaps.refetch(run.datahub, run.cache, log=run.log),
)
def source_asset(run: SourceRun) -> Fetched:
    """Ask for what each series lacks."""
    return fetch_candles(
        run.settings.of(CandleSettings),
        tick_s=run.settings.tick_s,
        last_open_times={(symbol, name): time for (symbol, name), time in run.cache.series(OHLC).last_times().items()},
        rechecks=run.cache.series(OHLC).rechecks(),
        clock=run.clock,
        log=run.log,
        not_before_ms=run.not_before_ms,
        unknown=run.cache.note(OHLC, UNKNOWN, default={}),
    )
