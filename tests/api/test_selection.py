"""Selecting rows from files: whatever the files look like, the same as sorting everything and cutting."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.datafile import DataFile
from api.engine.selection.query import NotResident, RowQuery
from api.engine.selection.select import select
from datahub_assets.datasets.candles.spec import OHLC
from tests.api.snapshots import SnapshotMaker, making, snapshot_of
from tests.api.workers import HOUR_MS, candles

SYMBOLS = ("AAA", "BBB", "CCC")
COLUMNS = ("symbol", "timestamp", "close", "closed")
CLOSED_ONLY = next((one, ()) for one in OHLC.filters if one.column == "closed")


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
queries = st.builds(
    RowQuery,
    groups=st.just(("1h",)),
    series=st.sets(st.sampled_from(SYMBOLS), min_size=1).map(lambda names: tuple(sorted(names))),
    limit=st.integers(1, 40),
    columns=st.just(COLUMNS),
    start_ms=times,
    end_ms=times,
    forward=st.booleans(),
    where=st.sampled_from(((), (CLOSED_ONLY,))),
    after=st.none()
    | st.tuples(st.integers(0, 13).map(lambda hour: hour * HOUR_MS), st.sampled_from(SYMBOLS), st.just("1h")),
)


def expected(frames: list[pl.DataFrame], query: RowQuery) -> list[tuple[object, ...]]:
    rows = pl.concat(frames).filter(pl.col("symbol").is_in(query.series or ())).sort("timestamp", "symbol")
    at = pl.col("timestamp").dt.epoch("ms")
    if query.start_ms is not None:
        rows = rows.filter(at >= query.start_ms)
    if query.end_ms is not None:
        rows = rows.filter(at < query.end_ms)
    if query.where:
        rows = rows.filter("closed")
    if query.after is not None:
        at_ms, series, _ = query.after
        name = pl.col("symbol")
        beyond = (
            (at > at_ms) | ((at == at_ms) & (name > series))
            if query.forward
            else (at < at_ms) | ((at == at_ms) & (name < series))
        )
        rows = rows.filter(beyond)
    return rows.select(COLUMNS).rows()


@settings(max_examples=150, deadline=None)
@given(frames=histories(), query=queries)
def test_a_page_is_the_sorted_whole_cut(place: SnapshotMaker, frames: list[pl.DataFrame], query: RowQuery) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, frames))
    whole = expected(frames, query)
    page = select(snapshot, query)
    assert page.frame.select(COLUMNS).rows() == (whole[: query.limit] if query.forward else whole[-query.limit :])
    assert (page.next is None) == (len(whole) <= query.limit)


@settings(max_examples=40, deadline=None)
@given(frames=histories(), query=queries)
def test_pages_make_up_the_whole(place: SnapshotMaker, frames: list[pl.DataFrame], query: RowQuery) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, frames))
    whole = expected(frames, query)
    found: list[tuple[object, ...]] = []
    position = query.after
    for _ in itertools.count():
        page = select(snapshot, replace(query, after=position))
        rows = page.frame.select(COLUMNS).rows()
        found = [*found, *rows] if query.forward else [*rows, *found]
        position = page.next
        if position is None:
            break
    assert found == whole


def test_a_range_that_ends_before_it_begins_is_empty(place: SnapshotMaker) -> None:
    snapshot = snapshot_of(OHLC, hourly(place, [candles(("AAA",), count=20, until_ms=20 * HOUR_MS)]))
    backwards = RowQuery(
        groups=("1h",),
        series=("AAA",),
        limit=5,
        columns=COLUMNS,
        start_ms=10 * HOUR_MS,
        end_ms=5 * HOUR_MS,
        where=(CLOSED_ONLY,),
    )
    page = select(snapshot, backwards)
    assert (page.frame.height, page.next) == (0, None)


def test_only_files_that_matter_are_opened(place: SnapshotMaker) -> None:
    months = [candles(("AAA",), count=20, until_ms=100 * HOUR_MS * month) for month in range(1, 6)]
    files = hourly(place, months)
    query = RowQuery(groups=("1h",), series=("AAA",), limit=5, columns=COLUMNS)
    with pytest.raises(NotResident):
        select(snapshot_of(OHLC, files), query, resident_only=True)
    select(snapshot_of(OHLC, files), query)
    assert [file.is_open for file in files] == [False] * 4 + [True]
    assert select(snapshot_of(OHLC, files), query, resident_only=True).frame.height == 5
    old = RowQuery(groups=("1h",), series=("AAA",), limit=50, columns=COLUMNS, end_ms=150 * HOUR_MS, start_ms=0)
    assert select(snapshot_of(OHLC, files), old).frame.height == 20
    assert [file.is_open for file in files] == [True, False, False, False, True]
