"""What the dataset of prices is."""

from typing import Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import LiveStyle, Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS

MARKET: Final = DatasetSpec(
    name="market",
    title="Crypto market data",
    repo_name="crypto-market-data",
    provider="coingecko",
    source_url="https://www.coingecko.com/en/api",
    summary="Prices, market caps and 24-hour statistics of the largest coins, polled from CoinGecko every minute.",
    source_asset="market_prices",
    cache_table="cached_market_data",
    hub_asset="crypto_market_data",
    columns=(
        Column(
            "coin_id", ColumnKind.TEXT, "CoinGecko's id of the coin, e.g. `bitcoin`; symbols are not unique, ids are"
        ),
        Column("symbol", ColumnKind.TEXT, "ticker in upper case, e.g. `BTC`"),
        Column("name", ColumnKind.TEXT, "the coin's name"),
        Column("price", ColumnKind.NUMBER, "price of one coin, USD"),
        Column("market_cap", ColumnKind.NUMBER, "market capitalisation, USD"),
        Column("market_cap_rank", ColumnKind.COUNT, "rank by market capitalisation, 1 is the largest"),
        Column("volume_24h", ColumnKind.NUMBER, "traded volume of the last 24 hours, USD"),
        Column("change_24h", ColumnKind.NUMBER, "price change over 24 hours, percent"),
        Column("high_24h", ColumnKind.NUMBER, "highest price of the last 24 hours, USD; refreshed apart from `price`"),
        Column("low_24h", ColumnKind.NUMBER, "lowest price of the last 24 hours, USD; refreshed apart from `price`"),
        Column("price_change_24h", ColumnKind.NUMBER, "price change over 24 hours, USD"),
        Column("circulating_supply", ColumnKind.NUMBER, "coins in circulation"),
        Column("total_supply", ColumnKind.NUMBER, "coins that exist"),
        Column("max_supply", ColumnKind.NUMBER, "coins that can ever exist"),
        Column("fully_diluted_valuation", ColumnKind.NUMBER, "price times the maximal supply, USD"),
        Column("ath", ColumnKind.NUMBER, "all-time high, USD"),
        Column("ath_date", ColumnKind.TIME, "time of the all-time high, UTC"),
        Column("atl", ColumnKind.NUMBER, "all-time low, USD"),
        Column("atl_date", ColumnKind.TIME, "time of the all-time low, UTC"),
        Column("provider", ColumnKind.TEXT, "where the row came from: `coingecko`"),
        Column("timestamp", ColumnKind.TIME, "when CoinGecko last updated the coin (its last_updated), UTC"),
        Column("ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC"),
    ),
    key=("coin_id", "timestamp"),
    sort=("coin_id", "timestamp"),
    series=("coin_id",),
    group=None,
    window_ms=HOUR_MS,
    live=LiveStyle.APPEND,
    sealed=(("", Period.DAY),),
    retention_ms=3 * DAY_MS,
)
