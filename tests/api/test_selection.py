"""Selecting rows from files: whatever the files look like, the same as sorting everything and cutting."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.datafile import DataFile
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit
from api.engine.parquet import FileReader, connect
from api.engine.selection import NotResident, Position, RowQuery, select
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.candles.spec import OHLC
from tests.api.workers import HOUR_MS, candles

SYMBOLS = ("AAA", "BBB", "CCC")
COLUMNS = ("symbol", "timestamp", "close", "closed")


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with tempfile.TemporaryDirectory(prefix="datahub-selection-") as folder:
        root = Path(folder)
        catalog, connection = Catalog(root / "catalog.sqlite3"), connect(root)
        yield FileReader(OHLC, connection=connection, catalog=catalog, mapped=root / "mapped")
        connection.close()
        catalog.close()


def data_file(reader: FileReader, rows: pl.DataFrame) -> DataFile:
    """Rows as a file of a commit, in whatever order they come."""
    folder = reader.mapped_path(Path("x")).parent.parent
    fresh = folder / "fresh.parquet"
    rows.write_parquet(fresh)
    path = fresh.rename(folder / hashlib.sha256(fresh.read_bytes()).hexdigest())
    index = reader.index(path, group="1h")
    return DataFile(
        parquet=path, mapped=reader.mapped_path(path), group="1h", index=index, read=lambda: reader.rows(path)
    )


def snapshot_of(files: list[DataFile]) -> Snapshot:
    ordered = tuple(sorted(files, key=lambda file: file.max_ms, reverse=True))
    return Snapshot(OHLC, "local/repo", HubCommit("0" * 40, 0, ""), (), {"1h": ordered}, {}, frozenset())


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
    group=st.just("1h"),
    series=st.sets(st.sampled_from(SYMBOLS), min_size=1).map(lambda names: tuple(sorted(names))),
    limit=st.integers(1, 40),
    columns=st.just(COLUMNS),
    start_ms=times,
    end_ms=times,
    forward=st.booleans(),
    closed_only=st.booleans(),
    after=st.none()
    | st.builds(Position, st.integers(0, 13).map(lambda hour: hour * HOUR_MS), st.sampled_from(SYMBOLS)),
)


def expected(frames: list[pl.DataFrame], query: RowQuery) -> list[tuple[object, ...]]:
    rows = pl.concat(frames).filter(pl.col("symbol").is_in(query.series)).sort("timestamp", "symbol")
    at = pl.col("timestamp").dt.epoch("ms")
    if query.start_ms is not None:
        rows = rows.filter(at >= query.start_ms)
    if query.end_ms is not None:
        rows = rows.filter(at < query.end_ms)
    if query.closed_only:
        rows = rows.filter("closed")
    if query.after is not None:
        same = at == query.after.at_ms
        name = pl.col("symbol")
        beyond = (
            (at > query.after.at_ms) | (same & (name > query.after.series))
            if query.forward
            else (at < query.after.at_ms) | (same & (name < query.after.series))
        )
        rows = rows.filter(beyond)
    return rows.select(COLUMNS).rows()


@settings(max_examples=150, deadline=None)
@given(frames=histories(), query=queries)
def test_a_page_is_the_sorted_whole_cut(reader: FileReader, frames: list[pl.DataFrame], query: RowQuery) -> None:
    snapshot = snapshot_of([data_file(reader, frame) for frame in frames])
    whole = expected(frames, query)
    page = select(snapshot, query)
    assert page.frame.rows() == (whole[: query.limit] if query.forward else whole[-query.limit :])
    assert (page.next is None) == (len(whole) <= query.limit)


@settings(max_examples=40, deadline=None)
@given(frames=histories(), query=queries)
def test_pages_make_up_the_whole(reader: FileReader, frames: list[pl.DataFrame], query: RowQuery) -> None:
    snapshot = snapshot_of([data_file(reader, frame) for frame in frames])
    whole = expected(frames, query)
    found: list[tuple[object, ...]] = []
    position = query.after
    for _ in itertools.count():
        page = select(
            snapshot,
            RowQuery(
                **{name: getattr(query, name) for name in RowQuery.__dataclass_fields__ if name != "after"},
                after=position,
            ),
        )
        found = [*found, *page.frame.rows()] if query.forward else [*page.frame.rows(), *found]
        position = page.next
        if position is None:
            break
    assert found == whole


def test_a_range_that_ends_before_it_begins_is_empty(reader: FileReader) -> None:
    snapshot = snapshot_of([data_file(reader, candles(("AAA",), count=20, until_ms=20 * HOUR_MS))])
    backwards = RowQuery(
        group="1h",
        series=("AAA",),
        limit=5,
        columns=COLUMNS,
        start_ms=10 * HOUR_MS,
        end_ms=5 * HOUR_MS,
        closed_only=True,
    )
    page = select(snapshot, backwards)
    assert (page.frame.height, page.next) == (0, None)


def test_only_files_that_matter_are_opened(reader: FileReader) -> None:
    months = [candles(("AAA",), count=20, until_ms=100 * HOUR_MS * month) for month in range(1, 6)]
    files = [data_file(reader, month) for month in months]
    query = RowQuery(group="1h", series=("AAA",), limit=5, columns=COLUMNS)
    with pytest.raises(NotResident):
        select(snapshot_of(files), query, resident_only=True)
    select(snapshot_of(files), query)
    assert [file.is_open for file in files] == [False] * 4 + [True]
    assert select(snapshot_of(files), query, resident_only=True).frame.height == 5
    old = RowQuery(group="1h", series=("AAA",), limit=50, columns=COLUMNS, end_ms=150 * HOUR_MS, start_ms=0)
    assert select(snapshot_of(files), old).frame.height == 20
    assert [file.is_open for file in files] == [True, False, False, False, True]
