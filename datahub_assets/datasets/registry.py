"""One DatasetSpec per dataset: everything that differs between datasets is data here, and nothing else is.

The cache table, the parquet schema, the files on the Hub, the dataset card, the Dagster assets, their checks and the
SQL table are derived from it; no such code lives here.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import polars as pl
import pyarrow as pa

from datahub_assets.datasets.candles.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS

ROLL_DELAY_MS: Final = 10 * MINUTE_MS
"""A window rolls this long after its end, so that late stamps still find it."""


class Kind(StrEnum):
    """What a column holds; each kind has one type in each system."""

    TEXT = "text"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"
    TIME = "time"

    @property
    def arrow(self) -> pa.DataType:
        """The parquet type: times are `timestamp[ms, UTC]`, numbers float64, counts int64."""
        return {
            Kind.TEXT: pa.string(),
            Kind.NUMBER: pa.float64(),
            Kind.COUNT: pa.int64(),
            Kind.FLAG: pa.bool_(),
            Kind.TIME: pa.timestamp("ms", tz="UTC"),
        }[self]

    @property
    def polars(self) -> pl.DataType:
        """The polars type of the same values."""
        return {
            Kind.TEXT: pl.String(),
            Kind.NUMBER: pl.Float64(),
            Kind.COUNT: pl.Int64(),
            Kind.FLAG: pl.Boolean(),
            Kind.TIME: pl.Datetime("ms", "UTC"),
        }[self]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and a line for the dataset card and the API's schema."""

    name: str
    kind: Kind
    doc: str


class Period(StrEnum):
    """What one sealed file covers."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def strftime(self) -> str:
        """How the period names its file."""
        return {Period.DAY: "%Y-%m-%d", Period.MONTH: "%Y-%m", Period.YEAR: "%Y"}[self]


class LiveStyle(StrEnum):
    """How rows of the live window lie on the Hub."""

    APPEND = "append"
    """`live/{HHMM}.parquet`: one small immutable file per publish."""
    REPLACE = "replace"
    """`today.parquet`: one file, written anew when its rows change; still forming rows apart in `open.parquet`."""


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Everything that makes a dataset what it is.

    Attributes:
        name: short name; also the SQL table and the API's word for it.
        repo_name: the dataset's repo on the Hub, without the namespace.
        key: columns that identify a row.        sort: order of rows in every file.
        series: columns whose values name one series in the cache's state table.
        group: the column whose values name the folders under `data/`, if files are grouped.
        groups: the values it may have.
        window_ms: length of the live window; rows older than the window rest in sealed files.
        sealed: period of a sealed file, by value of `group` ("" when not grouped; "*" for all others).
        retention_ms: published rows older than this leave the local cache.
        stale_warn_ms, stale_fail_ms: age of the newest row that deserves a warning, a failure.
    """

    name: str
    title: str
    repo_name: str
    provider: str
    source_url: str
    summary: str
    source_asset: str
    cache_table: str
    hub_asset: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sort: tuple[str, ...]
    series: tuple[str, ...]
    group: str | None
    window_ms: int
    live: LiveStyle
    sealed: tuple[tuple[str, Period], ...]
    retention_ms: int
    groups: tuple[str, ...] = ()
    stale_warn_ms: int = 3 * MINUTE_MS
    stale_fail_ms: int = 10 * MINUTE_MS

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of every file and table."""
        return tuple(column.name for column in self.columns)

    @property
    def file_order(self) -> tuple[str, ...]:
        """Sort order of rows that span groups: the group first, then the order within a file."""
        return self.sort if self.group is None else (self.group, *self.sort)

    @property
    def has_forming_rows(self) -> bool:
        """Whether rows exist that may still change (`closed` is false)."""
        return "closed" in self.column_names

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: the dataset has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def arrow_schema(self) -> pa.Schema:
        """Parquet schema: all columns nullable but the key."""
        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.name not in self.key) for c in self.columns])

    def polars_schema(self) -> dict[str, pl.DataType]:
        """The same columns and types for polars."""
        return {column.name: column.kind.polars for column in self.columns}

    def sealed_period(self, group: str) -> Period:
        """Which period one sealed file of this group covers."""
        periods = dict(self.sealed)
        return periods.get(group, periods.get("*", Period.MONTH))

    def window_start(self, now_ms: int) -> int:
        """First millisecond of the live window at `now_ms`: rows stamped earlier belong in sealed files."""
        late = now_ms - ROLL_DELAY_MS
        return late - late % self.window_ms


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
        Column("coin_id", Kind.TEXT, "CoinGecko's id of the coin, e.g. `bitcoin`; symbols are not unique, ids are"),
        Column("symbol", Kind.TEXT, "ticker in upper case, e.g. `BTC`"),
        Column("name", Kind.TEXT, "the coin's name"),
        Column("price", Kind.NUMBER, "price of one coin, USD"),
        Column("market_cap", Kind.NUMBER, "market capitalisation, USD"),
        Column("market_cap_rank", Kind.COUNT, "rank by market capitalisation, 1 is the largest"),
        Column("volume_24h", Kind.NUMBER, "traded volume of the last 24 hours, USD"),
        Column("change_24h", Kind.NUMBER, "price change over 24 hours, percent"),
        Column("high_24h", Kind.NUMBER, "highest price of the last 24 hours, USD; refreshed apart from `price`"),
        Column("low_24h", Kind.NUMBER, "lowest price of the last 24 hours, USD; refreshed apart from `price`"),
        Column("price_change_24h", Kind.NUMBER, "price change over 24 hours, USD"),
        Column("circulating_supply", Kind.NUMBER, "coins in circulation"),
        Column("total_supply", Kind.NUMBER, "coins that exist"),
        Column("max_supply", Kind.NUMBER, "coins that can ever exist"),
        Column("fully_diluted_valuation", Kind.NUMBER, "price times the maximal supply, USD"),
        Column("ath", Kind.NUMBER, "all-time high, USD"),
        Column("ath_date", Kind.TIME, "time of the all-time high, UTC"),
        Column("atl", Kind.NUMBER, "all-time low, USD"),
        Column("atl_date", Kind.TIME, "time of the all-time low, UTC"),
        Column("provider", Kind.TEXT, "where the row came from: `coingecko`"),
        Column("timestamp", Kind.TIME, "when CoinGecko last updated the coin (its last_updated), UTC"),
        Column("ingested_at", Kind.TIME, "when this version of the row was fetched, UTC"),
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

OHLC: Final = DatasetSpec(
    name="ohlc",
    title="Crypto candles (OHLC)",
    repo_name="crypto-ohlc-data",
    provider="binance",
    source_url="https://developers.binance.com/docs/binance-spot-api-docs",
    summary="Candles of Binance spot pairs, polled every minute; the forming candle is marked `closed = false`.",
    source_asset="ohlc_candles",
    cache_table="cached_ohlc",
    hub_asset="crypto_ohlc_data",
    columns=(
        Column("symbol", Kind.TEXT, "pair in the exchange's spelling, e.g. `BTCUSDT`"),
        Column("interval", Kind.TEXT, "candle length: `1h`, `4h`, `1d`, …"),
        Column("timestamp", Kind.TIME, "open time, UTC; identifies the candle"),
        Column("close_time", Kind.TIME, "last millisecond the candle covers, UTC"),
        Column("open", Kind.NUMBER, "first price, quote currency"),
        Column("high", Kind.NUMBER, "highest price, quote currency"),
        Column("low", Kind.NUMBER, "lowest price, quote currency"),
        Column("close", Kind.NUMBER, "last price, quote currency"),
        Column("volume", Kind.NUMBER, "traded volume, base currency"),
        Column("quote_volume", Kind.NUMBER, "traded volume, quote currency"),
        Column("trade_count", Kind.COUNT, "number of trades"),
        Column("taker_buy_volume", Kind.NUMBER, "volume bought by takers, base currency"),
        Column("taker_buy_quote_volume", Kind.NUMBER, "volume bought by takers, quote currency"),
        Column("closed", Kind.FLAG, "whether the candle is final; a forming candle changes until it closes"),
        Column("provider", Kind.TEXT, "where the row came from: `binance`"),
        Column("ingested_at", Kind.TIME, "when this version of the row was fetched, UTC"),
    ),
    key=("symbol", "interval", "timestamp"),
    sort=("symbol", "timestamp"),
    series=("symbol", "interval"),
    group="interval",
    groups=tuple(INTERVALS),
    window_ms=DAY_MS,
    live=LiveStyle.REPLACE,
    sealed=(("1d", Period.YEAR), ("*", Period.MONTH)),
    retention_ms=90 * DAY_MS,
)

PACKAGES: Final[dict[str, DatasetSpec]] = {"market": MARKET, "candles": OHLC}
"""Each dataset by the name of its package here."""

DATASETS: Final[dict[str, DatasetSpec]] = {spec.name: spec for spec in PACKAGES.values()}
"""The same by the dataset's own name."""
