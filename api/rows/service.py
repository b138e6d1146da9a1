"""Answers a normalised request for rows from a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from api.engine.latest import latest_rows
from api.engine.selection import Position, RowQuery, select
from api.engine.snapshot import Snapshot
from api.http.errors import InvalidCursor, UnknownInterval, UnknownSymbol
from api.rows.cursors import Cursor
from api.rows.queries import RowsRequest


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows as the caller asked for them, and the cursor of the next page; None when there is none."""

    frame: pl.DataFrame
    cursor: Cursor | None


def rows_of(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool = False) -> RowsPage:
    """The rows a request means.

    Raises:
        UnknownSymbol, UnknownInterval, InvalidCursor: said by name.
        NotResident: `resident_only` is set and a file would have to be read, or much be looked up, first.
    """
    if request.is_range:
        return _range(snapshot, request, resident_only=resident_only)
    return _latest(snapshot, request, resident_only=resident_only)


def _range(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> RowsPage:
    if request.group not in snapshot.groups and request.group is not None:
        raise UnknownInterval.of(request.group, valid=sorted(str(group) for group in snapshot.groups))
    forward = request.start_ms is not None and not request.descending
    query = RowQuery(
        group=request.group,
        series=_series(snapshot, request, resident_only=resident_only),
        limit=request.limit,
        columns=request.columns,
        start_ms=request.start_ms,
        end_ms=request.end_ms,
        forward=forward,
        closed_only=request.closed_only,
        after=None if request.after is None else Position(*request.after),
    )
    page = select(snapshot, query, resident_only=resident_only)
    frame = page.frame.reverse() if request.descending else page.frame
    cursor = None
    if page.next is not None:
        cursor = Cursor(snapshot.sha, request.digest(), page.next.at_ms, page.next.series)
    return RowsPage(frame[list(request.columns)], cursor)


def _series(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> tuple[str, ...]:
    """The series a request names, checked; all of them when it names none."""
    known = snapshot.series.get(request.group, frozenset())
    if snapshot.spec.sort[0] == "symbol":
        _check("symbol", request.symbols, known, where=f"the {request.group} candles of commit {snapshot.sha}")
        return request.symbols
    _check("coin_ids", request.coin_ids, known, where=f"commit {snapshot.sha}")
    if not request.symbols:
        return request.coin_ids or tuple(sorted(known))
    ranked = _ranked(snapshot, request, resident_only=resident_only)
    chosen = _of_symbols(ranked, request.symbols, max_age_s=request.max_age_s)
    return tuple(sorted({*request.coin_ids, *chosen["coin_id"]}))


def _latest(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> RowsPage:
    ranked = _ranked(snapshot, request, resident_only=resident_only)
    frame = ranked
    if request.symbols or request.coin_ids:
        _check("coin_ids", request.coin_ids, ranked["coin_id"].to_list(), where=_recent(request.max_age_s))
        named = _of_symbols(ranked, request.symbols, max_age_s=request.max_age_s)["coin_id"]
        frame = ranked.filter(pl.col("coin_id").is_in([*named, *request.coin_ids]))
    if not request.descending:
        frame = frame.reverse()
    if request.after is not None:
        place = frame["coin_id"].index_of(request.after[1])
        if place is None:
            raise InvalidCursor("the cursor names a coin that is not in the answer")
        frame = frame.slice(place + 1)
    cursor = None
    if frame.height > request.limit:
        frame = frame.head(request.limit)
        cursor = Cursor(snapshot.sha, request.digest(), 0, frame["coin_id"][-1])
    return RowsPage(frame[list(request.columns)], cursor)


def _ranked(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> pl.DataFrame:
    """The newest row of each coin that is not older than the request says, largest market cap first."""
    return latest_rows(snapshot, max_age_ms=request.max_age_s * 1000, resident_only=resident_only)


def _of_symbols(ranked: pl.DataFrame, symbols: Sequence[str], *, max_age_s: int) -> pl.DataFrame:
    """The coin with the largest market cap of each symbol."""
    found = ranked.filter(pl.col("symbol").is_in(list(symbols))).unique("symbol", keep="first", maintain_order=True)
    if found.height < len(symbols):
        _check("symbols", symbols, ranked["symbol"].to_list(), where=_recent(max_age_s))
    return found


def _recent(max_age_s: int) -> str:
    return f"the market data of the {max_age_s} s before its newest row (max_age widens that)"


def _check(name: str, asked: Sequence[str], known: "frozenset[str] | list[str]", *, where: str) -> None:
    missing = [value for value in asked if value not in known]
    if missing:
        raise UnknownSymbol.of(name, missing, known=set(known), where=where)
