"""Selecting rows from files: whatever the files look like, the same as sorting everything and cutting."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from api.engine.datafile import DataFile
from api.engine.selection import select
from api.engine.selection.query import NotResident, RowQuery, RowsPage
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.candles.spec import OHLC
from tests.api.snapshots import SnapshotMaker, making, snapshot_of
from tests.api.workers import HOUR_MS, candles

SYMBOLS = ("AAA", "BBB", "CCC")
COLUMNS = ("symbol", "timestamp", "close", "closed")
HOURLY = ("interval", ("1h",))
CLOSED_ONLY = (next(one.parameter for one in OHLC.filters if one.column == "closed"), ())


@pytest.fixture(scope="module")
def place() -> Iterator[SnapshotMaker]:
    with tempfile.TemporaryDirectory(prefix="datahub-selection-") as folder, making(Path(folder)) as made:
        yield made


def hourly(place: SnapshotMaker, frames: list[pl.DataFrame]) -> list[DataFile]:
    return [place.data_file(OHLC, frame, group="1h") for frame in frames]


@st.composite
def histories(draw: st.DrawFn) -> list[pl.DataFrame]:
    """Candles of a few pairs with holes and forming rows anywhere, spread over files that may overlap in time."""
    everything = candles(SYMBOLS, count=12, until_ms=12 * HOUR_MS)
    kept = draw(st.lists(st.booleans(), min_size=36, max_size=36))
    closed = draw(st.lists(st.booleans(), min_size=36, max_size=36))
    placed = draw(st.lists(st.integers(0, 3), min_size=36, max_size=36))
    rows = everything.with_columns(
        pl.Series("closed", closed), pl.Series("kept", kept), pl.Series("placed", placed, dtype=pl.Int64)
    ).filter("kept")
    return [rows.filter(pl.col("placed") == place).drop("kept", "placed") for place in range(4)]


times = st.none() | st.integers(-2, 15).map(lambda hour: hour * HOUR_MS + hour % 2)
symbols = st.sets(st.sampled_from(SYMBOLS), min_size=1).map(lambda names: ("symbol", tuple(sorted(names))))
queries = st.builds(
    RowQuery,
    dataset=st.just("ohlc"),
    filters=st.tuples(symbols, st.booleans()).map(
        lambda drawn: (*((CLOSED_ONLY,) if drawn[1] else ()), HOURLY, drawn[0])
    ),
    limit=st.integers(1, 40),
    columns=st.just(COLUMNS),
    start_ms=times,
    end_ms=times,
    descending=st.booleans(),
    after=st.none()
    | st.tuples(st.integers(0, 13).map(lambda hour: hour * HOUR_MS), st.sampled_from(SYMBOLS), st.just("1h")),
)


def is_forward(query: RowQuery) -> bool:
    return query.start_ms is not None and not query.descending


def expected(frames: list[pl.DataFrame], query: RowQuery) -> list[tuple[object, ...]]:
    """The rows meant, oldest first."""
    asked = dict(query.filters)
    assume(set(asked["symbol"]) <= set(pl.concat(frames)["symbol"]))  # unknown ones are refused
    rows = pl.concat(frames).filter(pl.col("symbol").is_in(asked["symbol"])).sort("timestamp", "symbol")
    at = pl.col("timestamp").dt.epoch("ms")
    if query.start_ms is not None:
        rows = rows.filter(at >= query.start_ms)
    if query.end_ms is not None:
        rows = rows.filter(at < query.end_ms)
    if CLOSED_ONLY in query.filters:
        rows = rows.filter("closed")
    if query.after is not None:
        at_ms, series, _ = query.after
        name = pl.col("symbol")
        beyond = (
            (at > at_ms) | ((at == at_ms) & (name > series))
            if is_forward(query)
            else (at < at_ms) | ((at == at_ms) & (name < series))
        )
        rows = rows.filter(beyond)
    return rows.select(COLUMNS).rows()


def oldest_first(query: RowQuery, page: RowsPage) -> list[tuple[object, ...]]:
    return (page.frame.reverse() if query.descending else page.frame).rows()


FEW = st.sampled_from((0, select.FEW_SERIES))
"""Up to how many series are searched one by one: none, or the three that there are."""


def page_of(snapshot: Snapshot, query: RowQuery, few: int) -> RowsPage:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "FEW_SERIES", few)
        return select.rows_of(snapshot, query)


@settings(max_examples=150, deadline=None)
@given(frames=histories(), query=queries, few=FEW)
def test_a_page_is_the_sorted_whole_cut(
    place: SnapshotMaker, frames: list[pl.DataFrame], query: RowQuery, few: int
) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, frames))
    whole = expected(frames, query)
    page = page_of(snapshot, query, few)
    nearest = whole[: query.limit] if is_forward(query) else whole[-query.limit :]
    assert oldest_first(query, page) == nearest
    assert (page.next is None) == (len(whole) <= query.limit)


@settings(max_examples=40, deadline=None)
@given(frames=histories(), query=queries, few=FEW)
def test_pages_make_up_the_whole(place: SnapshotMaker, frames: list[pl.DataFrame], query: RowQuery, few: int) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, frames))
    whole = expected(frames, query)
    found: list[tuple[object, ...]] = []
    position = query.after
    for _ in itertools.count():
        page = page_of(snapshot, msgspec.structs.replace(query, after=position), few)
        rows = oldest_first(query, page)
        found = [*found, *rows] if is_forward(query) else [*rows, *found]
        position = page.next
        if position is None:
            break
    assert found == whole


AAA = ("symbol", ("AAA",))


def of_aaa(**asked: Any) -> RowQuery:
    """A query for hourly candles of one pair."""
    usual: dict[str, Any] = {"columns": COLUMNS, "descending": False, "filters": (HOURLY, AAA)}
    return RowQuery(dataset="ohlc", **usual | asked)


def test_a_range_that_ends_before_it_begins_is_empty(place: SnapshotMaker) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, [candles(("AAA",), count=20, until_ms=20 * HOUR_MS)]))
    backwards = of_aaa(limit=5, start_ms=10 * HOUR_MS, end_ms=5 * HOUR_MS, filters=(CLOSED_ONLY, HOURLY, AAA))
    page = rows_of(snapshot, backwards)
    assert (page.frame.height, page.next) == (0, None)


def test_only_files_that_matter_are_opened(place: SnapshotMaker) -> None:
    months = [candles(("AAA",), count=20, until_ms=100 * HOUR_MS * month) for month in range(1, 6)]
    files = hourly(place, months)
    query = of_aaa(limit=5)
    with pytest.raises(NotResident):
        rows_of(snapshot_of(OHLC, files), query, resident_only=True)
    rows_of(snapshot_of(OHLC, files), query)
    assert [file.is_open for file in files] == [False] * 4 + [True]
    assert rows_of(snapshot_of(OHLC, files), query, resident_only=True).frame.height == 5
    old = of_aaa(limit=50, end_ms=150 * HOUR_MS, start_ms=0)
    assert rows_of(snapshot_of(OHLC, files), old).frame.height == 20
    assert [file.is_open for file in files] == [True, False, False, False, True]
