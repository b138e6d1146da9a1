"""Settings of the dataset of candles."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from datahub_assets.datasets.binance_settings import BinanceSettings
from datahub_assets.datasets.candles.intervals import INTERVALS
from datahub_assets.datasets.filters import in_capitals
from datahub_assets.datasets.settings_base import RUN_LIMIT_S, env
from datahub_assets.domain.history import Month
from datahub_assets.setting_values import Url, Words, words

_SYMBOL: Final = re.compile(r"(?:(?![a-z_])\w){2,30}")
"""Letters of any script and digits."""
ALL: Final = "all:"
"""Before a quote: all pairs that are traded against it."""
_VALID: Final = "must be a list of pairs such as BTCUSDT,ETHUSDT, or all:USDT"
_MAJOR_PAIRS: Final = (
    "BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT,XRPUSDT,DOGEUSDT,ADAUSDT,TRXUSDT,AVAXUSDT,LINKUSDT,"
    "DOTUSDT,LTCUSDT,BCHUSDT,XLMUSDT,UNIUSDT,ATOMUSDT,NEARUSDT,APTUSDT,FILUSDT,ETCUSDT"
)
_PAIRS_OF_A_QUOTE: Final = 500
"""About as many pairs does `all:USDT` stand for."""
_CANDLES_PER_PAGE: Final = 1000
_WEIGHT_PER_PAGE: Final = 2
_WEIGHT_OF_LISTS: Final = 21
"""Of the exchange's time and its list of pairs (rest-api.md)."""
_WEIGHT_PER_MINUTE: Final = 6000
"""Binance's request budget (rest-api.md, "LIMITS"; a page of klines weighs 2)."""


def _symbols(value: object) -> object:
    named = words(value)
    if not isinstance(named, tuple) or not named:
        raise ValueError(_VALID)
    pairs = tuple(dict.fromkeys(spelt(str(word)) for word in named))
    if not all(_SYMBOL.fullmatch(word.removeprefix(ALL)) for word in pairs):
        raise ValueError(_VALID)
    return pairs


def spelt(word: str) -> str:
    """A pair, or `all:` and a quote, as the exchange spells it: people write `btc/usdt` as well."""
    if word.lower().startswith(ALL):
        return ALL + in_capitals(word[len(ALL) :])
    return in_capitals(word.replace("/", "").replace("-", ""))


def _intervals(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or any(name not in INTERVALS for name in value):
        raise ValueError(f"must be a list out of {', '.join(INTERVALS)}")
    return value


def _month(value: object) -> object:
    return Month.parse(value) if isinstance(value, str) else value


Symbols = Annotated[tuple[str, ...], BeforeValidator(_symbols)]
"""Which pairs, each named or meant by `all:` and its quote."""
FirstMonth = Annotated[Month | None, BeforeValidator(_month)]
"""A month written as 2024-11."""
Intervals = Annotated[Words, AfterValidator(_intervals)]


class CandleSettings(BinanceSettings):
    """Which pairs and intervals, and how far back at first."""

    symbols: Symbols = Field(
        tuple(_MAJOR_PAIRS.split(",")),
        validation_alias=env("DATAHUB_SYMBOLS"),
        description="comma-separated Binance pairs; `all:USDT` among them stands for every TRADING pair of that quote",
    )
    intervals: Intervals = Field(
        ("1h", "4h", "1d"),
        validation_alias=env("DATAHUB_INTERVALS"),
        description="comma-separated candle intervals out of " + ", ".join(INTERVALS),
    )
    history_candles: int = Field(
        1000,
        ge=1,
        le=100_000,
        validation_alias=env("DATAHUB_HISTORY_CANDLES"),
        description="candles fetched at first per symbol and interval",
    )
    history_from: FirstMonth = Field(
        None,
        validation_alias=env("DATAHUB_HISTORY_FROM"),
        description="first month of history to fill by itself, such as 2017-08; unset: none",
    )
    binance_archive_url: Url = Field(
        "https://data.binance.vision",
        validation_alias=env("BINANCE_ARCHIVE_URL"),
        description="Binance's public archive; `/data/spot/…` is appended",
    )
    binance_archive_list_url: Url = Field(
        "https://s3-ap-northeast-1.amazonaws.com/data.binance.vision",
        validation_alias=env("BINANCE_ARCHIVE_LIST_URL"),
        description="where the archive's files are listed, as S3 does",
    )

    def follows(self, series: tuple[str, ...]) -> bool:
        """Whether these settings name this pair and interval."""
        symbol, interval = series
        return (symbol in self.pairs or symbol.endswith(self.quotes)) and interval in self.intervals

    @property
    def pairs(self) -> tuple[str, ...]:
        """Those of `symbols` that are pairs."""
        return tuple(word for word in self.symbols if not word.startswith(ALL))

    @property
    def quotes(self) -> tuple[str, ...]:
        """The quotes whose pairs are all meant."""
        return tuple(word.removeprefix(ALL) for word in self.symbols if word.startswith(ALL))

    @property
    def history_since(self) -> Month | None:
        """The setting."""
        return self.history_from

    @property
    def history_groups(self) -> tuple[str, ...]:
        """The intervals that are polled."""
        return self.intervals

    @property
    def weight_of_a_tick(self) -> int:
        """The request weight that one round of polling takes, about: an answer for each pair and interval."""
        return self._series * _WEIGHT_PER_PAGE + _WEIGHT_OF_LISTS

    @property
    def _series(self) -> int:
        return (len(self.pairs) + _PAIRS_OF_A_QUOTE * len(self.quotes)) * len(self.intervals)

    @property
    def run_limit_s(self) -> int:
        """Besides what every run may take, twice what the first fill's request budget takes."""
        pages = self._series * -(-self.history_candles // _CANDLES_PER_PAGE)
        return RUN_LIMIT_S + 2 * 60 * (pages * _WEIGHT_PER_PAGE // _WEIGHT_PER_MINUTE + 1)
