"""`market_prices`: ask CoinGecko for the coins of the settings. Everything after the answer is shared by all chains."""

import dagster as dg

from datahub_assets.datasets.market import client
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs import chain, source_assets
from datahub_assets.defs.error_mapping import raised_for_dagster
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.sources.fetched import Fetched


@chain.chain_asset(
    MARKET,
    key=chain.source_key(MARKET),
    description="Current prices from CoinGecko, checked and landed on disk.",
    kinds={"python"},
    check_specs=[source_assets.accepted_check(MARKET)],
)
def source_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
    """Fetch, check, land."""
    datahub: DataHubResource = context.resources.datahub
    datahub.status.ticked(MARKET.name, now_ms=datahub.clock())
    with raised_for_dagster(context, datahub, spec=MARKET), datahub.cache() as cache:

        def ask(not_before_ms: int) -> Fetched:
            return client.fetch_prices(
                datahub.settings, clock=datahub.clock, log=context.log, not_before_ms=not_before_ms
            )

        return source_assets.land(MARKET, datahub, source_assets.fetch(MARKET, datahub, cache, ask))
