"""What the dataset of candles is."""

from typing import Final

from datahub_assets.datasets.candles.intervals import INTERVALS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import LiveStyle, Period
from datahub_assets.domain.times import DAY_MS

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
        Column("symbol", ColumnKind.TEXT, "pair in the exchange's spelling, e.g. `BTCUSDT`"),
        Column("interval", ColumnKind.TEXT, "candle length: `1h`, `4h`, `1d`, …"),
        Column("timestamp", ColumnKind.TIME, "open time, UTC; identifies the candle"),
        Column("close_time", ColumnKind.TIME, "last millisecond the candle covers, UTC"),
        Column("open", ColumnKind.NUMBER, "first price, quote currency"),
        Column("high", ColumnKind.NUMBER, "highest price, quote currency"),
        Column("low", ColumnKind.NUMBER, "lowest price, quote currency"),
        Column("close", ColumnKind.NUMBER, "last price, quote currency"),
        Column("volume", ColumnKind.NUMBER, "traded volume, base currency"),
        Column("quote_volume", ColumnKind.NUMBER, "traded volume, quote currency"),
        Column("trade_count", ColumnKind.COUNT, "number of trades"),
        Column("taker_buy_volume", ColumnKind.NUMBER, "volume bought by takers, base currency"),
        Column("taker_buy_quote_volume", ColumnKind.NUMBER, "volume bought by takers, quote currency"),
        Column("closed", ColumnKind.FLAG, "whether the candle is final; a forming candle changes until it closes"),
        Column("provider", ColumnKind.TEXT, "where the row came from: `binance`"),
        Column("ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC"),
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
