"""What the dataset of listings is."""

from typing import Final

from datahub_assets.datasets.filters import Filter, Spelling, Unknown
from datahub_assets.datasets.listings.settings import ListingSettings
from datahub_assets.datasets.spec import DatasetSpec, Licence, NewestOfEach
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS

_YEARS_S: Final = 50 * 366 * DAY_MS // 1000
"""What a pair is said to be holds until something else is said, however long ago that was."""

_COLUMNS: Final = (
    Column("symbol", ColumnKind.TEXT, "pair in the exchange's spelling, e.g. `BTCUSDT`", example="BTCUSDT"),
    Column(
        "changed_at",
        ColumnKind.TIME,
        "when this hub first saw the pair so, UTC; the change itself lies between this and the look before",
        example="2025-11-25T10:30:00Z",
    ),
    Column("status", ColumnKind.TEXT, "the exchange's word: `TRADING`, `BREAK`, `HALT`, …", example="TRADING"),
    Column(
        "listed",
        ColumnKind.FLAG,
        "whether the exchange's list had the pair; of one that is gone all else is as it was said last",
        example=True,
    ),
    Column("base", ColumnKind.TEXT, "currency that is traded", example="BTC"),
    Column("quote", ColumnKind.TEXT, "currency of the price", example="USDT"),
    Column("tick_size", ColumnKind.NUMBER, "step of prices", unit="quote currency", example=0.01, at_least=0),
    Column("step_size", ColumnKind.NUMBER, "step of amounts", unit="base currency", example=0.00001, at_least=0),
    Column(
        "min_notional", ColumnKind.NUMBER, "least value of an order", unit="quote currency", example=5.0, at_least=0
    ),
    Column(
        "first_candle",
        ColumnKind.TIME,
        "open time of the first one-minute candle, UTC; null until it was asked for",
        example="2017-08-17T04:00:00Z",
    ),
    Column(
        "last_candle",
        ColumnKind.TIME,
        "open time of the last one-minute candle of a pair that is not traded any more, UTC; null until it was asked "
        "for, and while a pair is traded",
        example="2025-11-25T10:29:00Z",
    ),
    Column("provider", ColumnKind.TEXT, "where the row came from: `binance`", example="binance"),
    Column(
        "ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC", example="2025-11-25T10:30:00Z"
    ),
)

LISTINGS: Final = DatasetSpec(
    name="listings",
    title="Binance listings through time",
    summary="What Binance says of each of its spot pairs (state, steps, least order), one row each time it says "
    "something else, looked at every 5 minutes. Nothing is claimed of the time before a pair was first seen.",
    answer="Without `start` and `end`: what is said of each pair now, those that changed last first. With one of them: "
    "the changes of that time, oldest first.",
    repo_name="crypto-listings",
    provider="binance",
    source_url="https://developers.binance.com/docs/binance-spot-api-docs",
    licence=Licence("other", "binance-terms", "https://www.binance.com/en/terms"),
    source_asset="exchange_listings",
    cache_table="cached_listings",
    hub_asset="crypto_listings",
    tags=("cryptocurrency", "finance"),
    columns=_COLUMNS,
    key=("symbol", "changed_at"),
    time="changed_at",
    series="symbol",
    partitioning=ByTime(Period.MONTH),
    filters=(
        Filter(
            parameter="symbol",
            column="symbol",
            doc="pairs, with or without `/` or `-` between their halves: `BTCUSDT,ETH/USDT`",
            example=("BTCUSDT",),
            spelling=Spelling.UPPER,
            separators="/-",
            names_row=True,
            unknown=Unknown("unknown_symbol", "symbol"),
        ),
        Filter(
            parameter="base", column="base", doc="currencies traded: `BTC`", example=("BTC",), spelling=Spelling.UPPER
        ),
        Filter(
            parameter="quote",
            column="quote",
            doc="currencies of the price: `USDT,USDC`",
            example=("USDT",),
            spelling=Spelling.UPPER,
        ),
        Filter(
            parameter="status",
            column="status",
            doc="states: `TRADING`, `BREAK`, …",
            example=("TRADING",),
            spelling=Spelling.UPPER,
        ),
    ),
    default_limit=500,
    newest=NewestOfEach(rank="changed_at", max_age_s=_YEARS_S),
    stamped_at_begin=True,
    retention_ms=_YEARS_S * 1000,  # what the exchange says is compared with the newest row of each pair
    stale_warn_ms=4 * DAY_MS,
    stale_fail_ms=14 * DAY_MS,
    tick_s=300,
    publish_interval_s=3600,
    settings=ListingSettings,
)

SPEC: Final = LISTINGS
