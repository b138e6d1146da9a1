"""What the dataset of prices is."""

from typing import Final

from datahub_assets.datasets.filters import Filter, Spelling, Unknown
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.datasets.spec import DatasetSpec, Licence, NewestOfEach
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS

_COLUMNS: Final = (
    Column(
        "coin_id",
        ColumnKind.TEXT,
        "CoinGecko's id of the coin, e.g. `bitcoin`; symbols are not unique, ids are",
        example="bitcoin",
    ),
    Column("symbol", ColumnKind.TEXT, "ticker in upper case, e.g. `BTC`", example="BTC"),
    Column("name", ColumnKind.TEXT, "the coin's name", example="Bitcoin"),
    Column("price", ColumnKind.NUMBER, "price of one coin", unit="USD", example=70187.0, above=0),
    Column("market_cap", ColumnKind.NUMBER, "market capitalisation", unit="USD", example=1381651251183.0, at_least=0),
    Column(
        "market_cap_rank", ColumnKind.COUNT, "rank by market capitalisation, 1 is the largest", example=1, at_least=1
    ),
    Column(
        "volume_24h",
        ColumnKind.NUMBER,
        "traded volume of the last 24 hours",
        unit="USD",
        example=20154184933.0,
        at_least=0,
    ),
    Column("change_24h", ColumnKind.NUMBER, "price change over 24 hours", unit="percent", example=3.12502),
    Column(
        "high_24h",
        ColumnKind.NUMBER,
        "highest price of the last 24 hours, refreshed apart from `price`",
        unit="USD",
        example=70215.0,
    ),
    Column(
        "low_24h",
        ColumnKind.NUMBER,
        "lowest price of the last 24 hours, refreshed apart from `price`",
        unit="USD",
        example=68060.0,
    ),
    Column("price_change_24h", ColumnKind.NUMBER, "price change over 24 hours", unit="USD", example=2126.88),
    Column(
        "circulating_supply", ColumnKind.NUMBER, "coins in circulation", unit="coins", example=19675987.0, at_least=0
    ),
    Column("total_supply", ColumnKind.NUMBER, "coins that exist", unit="coins", example=21000000.0, at_least=0),
    Column("max_supply", ColumnKind.NUMBER, "coins that can ever exist", unit="coins", example=21000000.0, at_least=0),
    Column(
        "fully_diluted_valuation",
        ColumnKind.NUMBER,
        "price times the maximal supply",
        unit="USD",
        example=1474623675796.0,
    ),
    Column("ath", ColumnKind.NUMBER, "all-time high", unit="USD", example=73738.0),
    Column("ath_date", ColumnKind.TIME, "time of the all-time high, UTC", example="2024-03-14T07:10:36.635Z"),
    Column("atl", ColumnKind.NUMBER, "all-time low", unit="USD", example=67.81),
    Column("atl_date", ColumnKind.TIME, "time of the all-time low, UTC", example="2013-07-06T00:00:00Z"),
    Column("provider", ColumnKind.TEXT, "where the row came from: `coingecko`", example="coingecko"),
    Column(
        "timestamp",
        ColumnKind.TIME,
        "when CoinGecko last updated the coin (its last_updated), UTC",
        example="2024-04-07T16:49:31.736Z",
    ),
    Column(
        "ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC", example="2024-04-07T16:50:02Z"
    ),
)
"""The examples are what CoinGecko said of one coin at one time (its documentation of /coins/markets)."""

MARKET: Final = DatasetSpec(
    name="market",
    title="Crypto market data",
    summary="Prices, market caps and 24-hour statistics of the largest coins, polled from CoinGecko every minute.",
    answer="Without `start` and `end`: the newest row per coin, largest market cap first. With one of them: every row "
    "of that time, oldest first. A symbol several coins share means the one with the largest market cap; `coin_ids` is "
    "exact.",
    repo_name="crypto-market-data",
    provider="coingecko",
    source_url="https://www.coingecko.com/en/api",
    licence=Licence("other", "coingecko-api-terms", "https://www.coingecko.com/en/api_terms"),
    source_asset="market_prices",
    cache_table="cached_market_data",
    hub_asset="crypto_market_data",
    tags=("cryptocurrency", "finance"),
    columns=_COLUMNS,
    key=("coin_id", "timestamp"),
    series="coin_id",
    partitioning=ByTime(Period.DAY),
    filters=(
        Filter(
            parameter="symbols",
            column="symbol",
            doc="tickers, comma-separated: `BTC,ETH`",
            example=("BTC", "ETH"),
            spelling=Spelling.UPPER,
            newest=True,
            names_row=True,
            mistaken_for=("coin_id", "name"),
            unknown=Unknown("unknown_symbol", "symbol"),
        ),
        Filter(
            parameter="coin_ids",
            column="coin_id",
            doc="CoinGecko ids: `bitcoin,ethereum`",
            example=("bitcoin", "ethereum"),
            names_row=True,
            mistaken_for=("symbol", "name"),
            unknown=Unknown("unknown_symbol", "symbol"),
        ),
    ),
    default_columns=(
        *("symbol", "price", "market_cap", "volume_24h", "change_24h", "provider", "timestamp"),
        *("coin_id", "name", "market_cap_rank", "high_24h", "low_24h"),
    ),
    newest=NewestOfEach(rank="market_cap", max_age_s=DAY_MS // 1000),
    retention_ms=3 * DAY_MS,
    settings=MarketSettings,
)

SPEC: Final = MARKET
