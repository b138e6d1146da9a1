"""What callers may ask of rows, checked and brought into one normal form."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from litestar.params import QueryParameter

from api.caching.revision_choice import RevisionChoice, choose_revision
from api.engine.latest import DEFAULT_MAX_AGE_S
from api.http.errors import InvalidCursor, InvalidParameter
from api.http.parameters import (
    LIMIT_BOUNDS,
    AsOf,
    Columns,
    End,
    FormatName,
    Limit,
    Numbers,
    Order,
    PageCursor,
    Revision,
    Start,
    WordList,
    check_range,
    example,
    words,
)
from api.http.times import parse_time
from api.rows.cursors import Cursor
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec

MAX_SERIES: Final = 500
_AGE_BOUNDS: Final = {"minimum": 1, "maximum": 10**10}
_CANDLE_COLUMNS: Final = (
    *("symbol", "interval", "timestamp"),
    *("open", "high", "low", "close", "volume", "provider", "closed"),
)
_MARKET_COLUMNS: Final = (
    *("symbol", "price", "market_cap", "volume_24h", "change_24h", "provider", "timestamp"),
    *("coin_id", "name", "market_cap_rank", "high_24h", "low_24h"),
)


class RowsRequest(msgspec.Struct, frozen=True, array_like=True):
    """A request for rows in its normal form; requests that mean the same are equal."""

    dataset: str
    group: str | None
    symbols: tuple[str, ...]
    coin_ids: tuple[str, ...]
    columns: tuple[str, ...]
    limit: int
    descending: bool
    start_ms: int | None = None
    end_ms: int | None = None
    closed_only: bool = False
    max_age_s: int = DEFAULT_MAX_AGE_S
    after: tuple[int, str] | None = None
    pinned: str | None = None
    """The commit a cursor goes on at."""

    @property
    def is_range(self) -> bool:
        """Whether rows of a time range are meant, and not the newest of each series."""
        return self.group is not None or self.start_ms is not None or self.end_ms is not None

    def digest(self) -> bytes:
        """Tells queries apart for cursors: a page's size and place do not count."""
        same = msgspec.structs.replace(self, limit=0, after=None, pinned=None)
        return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Asked:
    """All a caller asked: which rows, of which commit, in which format (None: as `Accept` says)."""

    rows: RowsRequest
    choice: RevisionChoice
    format: str | None
    numbers: str | None


def ask_candles(
    *,
    symbol: Annotated[
        WordList,
        QueryParameter(
            description="pairs as the exchange spells them: `BTCUSDT,ETHUSDT`", examples=example(["BTCUSDT"])
        ),
    ] = None,
    interval: Annotated[str, QueryParameter(description="candle length: `1h`, `4h`, `1d`, …")] = "1h",
    limit: Limit = 500,
    start: Start = None,
    end: End = None,
    order: Order = None,
    columns: Columns = None,
    closed_only: Annotated[bool, QueryParameter(description="leave out candles that are still forming")] = False,
    cursor: PageCursor = None,
    revision: Revision = None,
    as_of: AsOf = None,
    format: FormatName = None,  # noqa: A002 - the parameter's public name
    numbers: Numbers = None,
) -> Asked:
    """Candles of one or more pairs.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    symbols = _series("symbol", symbol, upper=True)
    if not symbols:
        raise InvalidParameter.of("symbol", "", valid="one or more pairs such as BTCUSDT,ETHUSDT")
    start_ms, end_ms = _range(start, end)
    rows = RowsRequest(
        dataset=OHLC.name,
        group=interval,
        symbols=symbols,
        coin_ids=(),
        columns=_columns(columns, OHLC, default=_CANDLE_COLUMNS),
        limit=_limit(limit),
        descending=_order(order) == "desc",
        start_ms=start_ms,
        end_ms=end_ms,
        closed_only=closed_only,
    )
    return Asked(_continued(rows, cursor), choose_revision(revision, as_of), format, numbers)


def ask_market(
    *,
    symbols: Annotated[
        WordList, QueryParameter(description="tickers, comma-separated: `BTC,ETH`", examples=example(["BTC", "ETH"]))
    ] = None,
    coin_ids: Annotated[WordList, QueryParameter(description="CoinGecko ids: `bitcoin,ethereum`")] = None,
    limit: Limit = 100,
    start: Start = None,
    end: End = None,
    order: Order = None,
    columns: Columns = None,
    max_age: Annotated[
        int,
        QueryParameter(schema_extra=_AGE_BOUNDS, description="leave out coins last seen longer ago than this, seconds"),
    ] = DEFAULT_MAX_AGE_S,
    cursor: PageCursor = None,
    revision: Revision = None,
    as_of: AsOf = None,
    format: FormatName = None,  # noqa: A002 - the parameter's public name
    numbers: Numbers = None,
) -> Asked:
    """Prices: the newest row of each coin, or with `start` or `end` all rows of that time.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    check_range("max_age", max_age, _AGE_BOUNDS)
    start_ms, end_ms = _range(start, end)
    is_latest = start_ms is None and end_ms is None
    rows = RowsRequest(
        dataset=MARKET.name,
        group=None,
        symbols=_series("symbols", symbols, upper=True),
        coin_ids=_series("coin_ids", coin_ids, upper=False),
        columns=_columns(columns, MARKET, default=_MARKET_COLUMNS),
        limit=_limit(limit),
        # The newest row of each coin comes largest market cap first, rows of a time range oldest first.
        descending=_order(order or ("desc" if is_latest else "asc")) == "desc",
        start_ms=start_ms,
        end_ms=end_ms,
        max_age_s=max_age,
    )
    return Asked(_continued(rows, cursor), choose_revision(revision, as_of), format, numbers)


def _limit(limit: int) -> int:
    check_range("limit", limit, LIMIT_BOUNDS)
    return limit


def _order(order: str | None) -> str:
    if order not in {None, "asc", "desc"}:
        raise InvalidParameter.of("order", order, valid=("asc", "desc"))
    return order or "asc"


def _series(name: str, values: Sequence[str] | None, *, upper: bool) -> tuple[str, ...]:
    named = words(values)
    if len(named) > MAX_SERIES:
        raise InvalidParameter.of(name, f"{len(named)} of them", valid=f"at most {MAX_SERIES} at once")
    return tuple(sorted({word.upper() if upper else word for word in named}))


def _range(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    start_ms, end_ms = parse_time("start", start), parse_time("end", end)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise InvalidParameter.of("end", end, valid="a time after start")
    return start_ms, end_ms


def _columns(values: Sequence[str] | None, spec: DatasetSpec, *, default: tuple[str, ...]) -> tuple[str, ...]:
    names = words(values)
    if not names:
        return default
    if names == ("*",):
        return spec.column_names
    unknown = [name for name in names if name not in spec.column_names]
    if unknown:
        raise InvalidParameter.of("columns", unknown[0], valid=spec.column_names)
    return names


def _continued(rows: RowsRequest, cursor_text: str | None) -> RowsRequest:
    if cursor_text is None:
        return rows
    cursor = Cursor.parse(cursor_text)
    if cursor.query != rows.digest():
        raise InvalidCursor("the cursor belongs to another query: send it with the parameters it was given for")
    return msgspec.structs.replace(rows, after=(cursor.at_ms, cursor.series), pinned=cursor.sha)
