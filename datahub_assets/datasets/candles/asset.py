"""`ohlc_candles`: ask Binance for candles since each series' last stored one. What comes after, all chains share."""

import dagster as dg

from datahub_assets.datasets.candles import refetch_gaps
from datahub_assets.datasets.candles.client.fetch import fetch_candles
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.defs import chain, source_assets
from datahub_assets.defs.error_mapping import raised_for_dagster
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.sources.fetched import Fetched


@chain.chain_asset(
    OHLC,
    key=chain.source_key(OHLC),
    description="Candles from Binance since the last stored ones, checked and landed on disk.",
    kinds={"python"},
    check_specs=[source_assets.accepted_check(OHLC)],
)
def source_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
    """Fetch, check, land; then ask again for gaps that are due."""
    datahub: DataHubResource = context.resources.datahub
    datahub.status.ticked(OHLC.name, now_ms=datahub.clock())
    with raised_for_dagster(context, datahub, spec=OHLC), datahub.cache() as cache:
        last_open_times = {(symbol, name): time for (symbol, name), time in cache.last_times(OHLC).items()}

        def ask(not_before_ms: int) -> Fetched:
            return fetch_candles(
                datahub.settings,
                last_open_times=last_open_times,
                clock=datahub.clock,
                log=context.log,
                not_before_ms=not_before_ms,
            )

        result = source_assets.land(OHLC, datahub, source_assets.fetch(OHLC, datahub, cache, ask))
        refetch_gaps.refetch(datahub, cache, log=context.log)
        return result
