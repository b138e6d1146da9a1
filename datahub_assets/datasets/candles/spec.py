"""What the dataset of candles is."""

from typing import Final

from datahub_assets.datasets.candles import earlier_ledgers
from datahub_assets.datasets.candles.intervals import INTERVALS, interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.filters import Filter, Spelling, Unknown
from datahub_assets.datasets.spec import CorrectionRule, DatasetSpec, GapRule, History, Licence, RowRule, Series
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS

RECHECKED_CANDLES: Final = 72
"""So many of a series' last candles are compared with the exchange's again and again; nobody looks at older ones."""
RECHECK_EVERY_MS: Final = HOUR_MS
"""How often those of a series are, if every tick comes; a tick that is missed puts it off."""


_BY_DAY: Final = tuple((name, Period.DAY) for name, one in INTERVALS.items() if one.length_ms < HOUR_MS)
"""Candles that come faster than one an hour: a month of them would be a file of gigabytes."""


def _step_ms(series: Series) -> int:
    """The length of a series' candles."""
    return interval(series[1]).length_ms


def _quote(name: str, doc: str, example: float, *, above: float | None = None, at_least: float | None = None) -> Column:
    return Column(name, ColumnKind.NUMBER, doc, unit="quote currency", example=example, above=above, at_least=at_least)


def _base(name: str, doc: str, example: float) -> Column:
    return Column(name, ColumnKind.NUMBER, doc, unit="base currency", example=example, at_least=0)


_COLUMNS: Final = (
    Column("symbol", ColumnKind.TEXT, "pair in the exchange's spelling, e.g. `BTCUSDT`", example="BTCUSDT"),
    Column("interval", ColumnKind.TEXT, "candle length: `1h`, `4h`, `1d`, …", example="1h"),
    Column("timestamp", ColumnKind.TIME, "open time, UTC; identifies the candle", example="2017-08-17T04:00:00Z"),
    Column(
        "close_time", ColumnKind.TIME, "last millisecond the candle covers, UTC", example="2017-08-17T04:59:59.999Z"
    ),
    _quote("open", "first price", 4261.48, above=0),
    _quote("high", "highest price", 4313.62, above=0),
    _quote("low", "lowest price", 4261.32, above=0),
    _quote("close", "last price", 4308.83, above=0),
    _base("volume", "traded volume", 47.181009),
    _quote("quote_volume", "traded volume", 202366.138393, at_least=0),
    Column("trade_count", ColumnKind.COUNT, "number of trades", example=171, at_least=0),
    _base("taker_buy_volume", "volume bought by takers", 35.160503),
    _quote("taker_buy_quote_volume", "volume bought by takers", 150952.477943, at_least=0),
    Column(
        "closed", ColumnKind.FLAG, "whether the candle is final; a forming candle changes until it closes", example=True
    ),
    Column("provider", ColumnKind.TEXT, "where the row came from: `binance`", example="binance"),
    Column(
        "ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC", example="2025-11-25T10:30:00Z"
    ),
)
"""The examples are the first candle of Binance's first pair."""

OHLC: Final = DatasetSpec(
    name="ohlc",
    title="Crypto candles (OHLC)",
    summary="Candles of Binance spot pairs, polled every minute; the forming candle is marked `closed = false`.",
    answer="The newest `limit` candles, oldest first; with `start`, the first `limit` candles from then on. Candles of "
    "several pairs come in order of time.",
    repo_name="crypto-ohlc-data",
    provider="binance",
    source_url="https://developers.binance.com/docs/binance-spot-api-docs",
    licence=Licence("other", "binance-terms", "https://www.binance.com/en/terms"),
    source_asset="ohlc_candles",
    cache_table="cached_ohlc",
    hub_asset="crypto_ohlc_data",
    tags=("cryptocurrency", "finance"),
    columns=_COLUMNS,
    key=("symbol", "interval", "timestamp"),
    series="symbol",
    group="interval",
    groups=tuple(INTERVALS),
    final="closed",
    partitioning=ByTime(Period.MONTH, of_groups=_BY_DAY),
    filters=(
        Filter(
            parameter="symbol",
            column="symbol",
            doc="pairs, with or without `/` or `-` between their halves: `BTCUSDT,ETH/USDT`",
            example=("BTCUSDT",),
            required=True,
            spelling=Spelling.UPPER,
            separators="/-",
            names_row=True,
            unknown=Unknown("unknown_symbol", "symbol"),
        ),
        Filter(
            parameter="interval",
            column="interval",
            doc="candle length: `1h`, `4h`, `1d`, …",
            example=("1h",),
            many=False,
            default="1h",
            unknown=Unknown("unknown_interval", "interval"),
        ),
        Filter(parameter="closed_only", column="closed", doc="leave out candles that are still forming"),
    ),
    default_columns=(
        *("symbol", "interval", "timestamp"),
        *("open", "high", "low", "close", "volume", "provider", "closed"),
    ),
    default_limit=500,
    gaps=GapRule(step_ms=_step_ms, noun="candles", upgrade=earlier_ledgers.gaps),
    history=History(
        since="2017-08-17T04:00:00Z",
        fetched="At first the newest 1,000 candles of each series are fetched (`DATAHUB_HISTORY_CANDLES`), and from "
        "then on all.",
    ),
    corrections=CorrectionRule(
        noticed=f"Changes of the last {RECHECKED_CANDLES} candles of a series are noticed: those are asked for again "
        "about once an hour.",
        upgrade=earlier_ledgers.corrections,
    ),
    rules=(RowRule(("open", "close"), at_least="low", at_most="high"),),
    stamped_at_begin=True,
    retention_ms=90 * DAY_MS,
    settings=CandleSettings,
)

SPEC: Final = OHLC
