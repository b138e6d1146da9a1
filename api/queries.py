"""What callers may ask of rows: their parameters, checked and brought into one normal form.

Nothing is looked up here.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

import msgspec
from litestar.params import QueryParameter

from api.cursors import Cursor
from api.errors import InvalidCursor, InvalidParameter
from api.times import parse_time
from datahub_assets.domain.datasets import MARKET, OHLC, DatasetSpec

MAX_LIMIT: Final = 50_000
MAX_SERIES: Final = 500
DEFAULT_MAX_AGE_S: Final = 24 * 3600
CANDLE_COLUMNS: Final = (
    "symbol",
    "interval",
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "provider",
    "closed",
)
MARKET_COLUMNS: Final = (
    "symbol",
    "price",
    "market_cap",
    "volume_24h",
    "change_24h",
    "provider",
    "timestamp",
    "coin_id",
    "name",
    "market_cap_rank",
    "high_24h",
    "low_24h",
)

_LIMITS: Final = {"minimum": 1, "maximum": MAX_LIMIT}
_MAX_AGES: Final = {"minimum": 1, "maximum": 10**10}
_TIME_FORM: Final = "ISO 8601, or epoch milliseconds"
_Words = list[str] | None
RevisionParameter = Annotated[
    str | None,
    QueryParameter(description="branch, tag or 40-hex commit of the dataset; the answer never changes for a commit"),
]
AsOfParameter = Annotated[
    str | None, QueryParameter(description=f"serve the last commit made at this time or before; {_TIME_FORM}")
]
StartParameter = Annotated[str | None, QueryParameter(description=f"first timestamp, inclusive; {_TIME_FORM}")]
EndParameter = Annotated[str | None, QueryParameter(description=f"last timestamp, exclusive; {_TIME_FORM}")]
OrderParameter = Annotated[
    str | None, QueryParameter(description="`asc` (oldest first, the default) or `desc` (newest first)")
]
CursorParameter = Annotated[
    str | None, QueryParameter(description="where to go on: taken from the `Link` header of the page before")
]


class RevisionChoice(msgspec.Struct, frozen=True, array_like=True):
    """Which commit: a revision, or a time; the current one when both are None."""

    revision: str | None = None
    as_of_ms: int | None = None

    @property
    def is_current(self) -> bool:
        """Whether the newest commit is meant."""
        return self.revision in {None, "main"} and self.as_of_ms is None


class RowsRequest(msgspec.Struct, frozen=True, array_like=True):
    """A request for rows in its normal form; requests that mean the same are equal."""

    dataset: str
    group: str | None
    symbols: tuple[str, ...]
    coin_ids: tuple[str, ...]
    columns: tuple[str, ...]
    limit: int
    descending: bool
    start_ms: int | None
    end_ms: int | None
    closed_only: bool
    max_age_s: int
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


def choose_revision(revision: RevisionParameter = None, as_of: AsOfParameter = None) -> RevisionChoice:
    """The commit a request means.

    Raises:
        InvalidParameter: both are given, or the time cannot be read.
    """
    if revision is not None and as_of is not None:
        raise InvalidParameter.of("as_of", as_of, valid="either revision or as_of, not both")
    return RevisionChoice(revision=revision, as_of_ms=parse_time("as_of", as_of))


def request_candles(
    *,
    symbol: Annotated[
        _Words, QueryParameter(description="pairs as the exchange spells them, comma-separated: `BTCUSDT`")
    ] = None,
    interval: Annotated[str, QueryParameter(description="candle length: `1h`, `4h`, `1d`, …")] = "1h",
    limit: Annotated[int, QueryParameter(schema_extra=_LIMITS, description="most candles of an answer")] = 500,
    start: StartParameter = None,
    end: EndParameter = None,
    order: OrderParameter = None,
    columns: Annotated[_Words, QueryParameter(description="columns to return, comma-separated; `*` for all")] = None,
    closed_only: Annotated[bool, QueryParameter(description="leave out candles that are still forming")] = False,
    cursor: CursorParameter = None,
) -> RowsRequest:
    """Candles of one or more pairs.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    symbols = tuple(word.upper() for word in words(symbol))
    if not symbols:
        raise InvalidParameter.of("symbol", "", valid="one or more pairs such as BTCUSDT,ETHUSDT")
    return _request(
        OHLC,
        group=interval,
        symbols=symbols,
        columns=_columns(columns, OHLC, default=CANDLE_COLUMNS),
        limit=limit,
        times=(start, end),
        order=order,
        closed_only=closed_only,
        cursor=cursor,
    )


def request_market(
    *,
    symbols: Annotated[_Words, QueryParameter(description="tickers, comma-separated: `BTC,ETH`")] = None,
    coin_ids: Annotated[
        _Words, QueryParameter(description="CoinGecko ids, comma-separated: `bitcoin,ethereum`")
    ] = None,
    limit: Annotated[int, QueryParameter(schema_extra=_LIMITS, description="most rows of an answer")] = 100,
    start: StartParameter = None,
    end: EndParameter = None,
    order: OrderParameter = None,
    columns: Annotated[_Words, QueryParameter(description="columns to return, comma-separated; `*` for all")] = None,
    max_age: Annotated[
        int,
        QueryParameter(
            schema_extra=_MAX_AGES, description="leave out coins not seen for this many seconds before the newest row"
        ),
    ] = DEFAULT_MAX_AGE_S,
    cursor: CursorParameter = None,
) -> RowsRequest:
    """Prices: the newest row of each coin, or with `start` or `end` all rows of that time.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    return _request(
        MARKET,
        group=None,
        symbols=tuple(word.upper() for word in words(symbols)),
        coin_ids=words(coin_ids),
        columns=_columns(columns, MARKET, default=MARKET_COLUMNS),
        limit=limit,
        times=(start, end),
        order=order,
        max_age_s=max_age,
        cursor=cursor,
    )


def _request(
    spec: DatasetSpec,
    *,
    group: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    limit: int,
    times: tuple[str | None, str | None],
    order: str | None,
    cursor: str | None,
    coin_ids: tuple[str, ...] = (),
    closed_only: bool = False,
    max_age_s: int = DEFAULT_MAX_AGE_S,
) -> RowsRequest:
    check_range("limit", limit, _LIMITS)
    check_range("max_age", max_age_s, _MAX_AGES)
    if order not in {None, "asc", "desc"}:
        raise InvalidParameter.of("order", order, valid=("asc", "desc"))
    if len(symbols) + len(coin_ids) > MAX_SERIES:
        raise InvalidParameter.of("symbol", f"{len(symbols)} of them", valid=f"at most {MAX_SERIES} at once")
    start_ms, end_ms = parse_time("start", times[0]), parse_time("end", times[1])
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise InvalidParameter.of("end", times[1], valid="a time after start")
    request = RowsRequest(
        dataset=spec.name,
        group=group,
        symbols=tuple(sorted(set(symbols))),
        coin_ids=tuple(sorted(set(coin_ids))),
        columns=columns,
        limit=limit,
        # The newest row of each coin comes largest market cap first; rows of a time range come oldest first.
        descending=order == "desc" or (order is None and group is None and start_ms is None and end_ms is None),
        start_ms=start_ms,
        end_ms=end_ms,
        closed_only=closed_only,
        max_age_s=max_age_s,
    )
    return request if cursor is None else _continued(request, Cursor.parse(cursor))


def _continued(request: RowsRequest, cursor: Cursor) -> RowsRequest:
    if cursor.query != request.digest():
        raise InvalidCursor("the cursor belongs to another query: send it with the parameters it was given for")
    return msgspec.structs.replace(request, after=(cursor.at_ms, cursor.series), pinned=cursor.sha)


def check_range(name: str, value: int, bounds: Mapping[str, int]) -> None:
    """Refuse a number outside the bounds its schema names.

    Raises:
        InvalidParameter: names the number and the bounds.
    """
    if not bounds["minimum"] <= value <= bounds["maximum"]:
        raise InvalidParameter.of(name, value, valid=f"{bounds['minimum']} to {bounds['maximum']}")


def words(values: Iterable[str] | None) -> tuple[str, ...]:
    """`a,b` and `x=a&x=b` alike, without repeats and empty ones."""
    return tuple(dict.fromkeys(word.strip() for value in values or () for word in value.split(",") if word.strip()))


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
