"""The work of a page of many series grows with its rows and files: not by series and file, nor from page to page."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import polars as pl
import pytest

from api.engine.selection import select
from api.engine.selection.many_series import pieces_of_many
from api.engine.selection.pieces import Piece
from api.engine.selection.query import RowQuery, RowsPage
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.market.spec import MARKET
from tests.api.snapshots import SnapshotMaker, making
from tests.api.workers import NOW_MS, prices

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def place() -> Iterator[SnapshotMaker]:
    with tempfile.TemporaryDirectory(prefix="datahub-growth-") as folder, making(Path(folder)) as made:
        yield made


def coins(count: int) -> tuple[tuple[str, str, float], ...]:
    """The names are in another order than the ranks, and so the times."""
    return tuple((f"coin-{number * 7 % count:03d}", "C", 1e9) for number in range(count))


def minutes(files: int, *, of: int, apart: bool) -> list[pl.DataFrame]:
    """A file for each minute with a row of every coin: no two rows of one time, or each as old as one of the next."""
    step_ms = of * 1000 if apart else MINUTE_MS // 2
    return [prices(at_ms=NOW_MS + minute * step_ms, coins=coins(of)) for minute in range(files)]


def opened(snapshot: Snapshot) -> Snapshot:
    for file in snapshot.data:
        file.open()
    return snapshot


def everything(limit: int, *, descending: bool = False) -> RowQuery:
    columns = ("coin_id", "timestamp", "price")
    return RowQuery(dataset=MARKET.name, columns=columns, limit=limit, descending=descending, start_ms=0)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called for it, those written in C among them."""
    seen = 0

    def note(_: FrameType, event: str, __: Any) -> None:
        nonlocal seen
        seen += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_a_range_costs_by_files_however_many_series_lie_in_them(
    place: SnapshotMaker, *, apart: bool, descending: bool
) -> None:
    query = everything(50_000, descending=descending)

    def cost(files: int, of: int) -> int:
        commit = opened(place.snapshot(MARKET, *minutes(files, of=of, apart=apart)))
        assert rows_of(commit, query).frame.height == files * of  # which also makes what is made once
        return calls(lambda: rows_of(commit, query))

    one = cost(10, 20)
    assert cost(10, 80) < 1.25 * one
    assert cost(40, 20) < 4.25 * one


@pytest.mark.parametrize("descending", [False, True])
def test_pages_through_a_range_look_at_each_row_few_times(
    place: SnapshotMaker, monkeypatch: pytest.MonkeyPatch, *, descending: bool
) -> None:
    day = pl.concat(minutes(200, of=20, apart=True))
    live = [frame.with_columns(pl.col("timestamp") + pl.duration(days=1)) for frame in minutes(40, of=20, apart=False)]
    commit = opened(place.snapshot(MARKET, day, *live))
    looked_at = 0

    def counting(*asked: Any) -> Iterator[Piece]:
        nonlocal looked_at
        for piece in pieces_of_many(*asked):
            looked_at += piece.count
            yield piece

    monkeypatch.setattr(select, "pieces_of_many", counting)
    found = followed(commit, everything(100, descending=descending))
    assert sum(page.frame.height for page in found) == commit.rows == 240 * 20
    assert commit.rows <= looked_at < 4 * commit.rows


def followed(commit: Snapshot, query: RowQuery) -> Sequence[RowsPage]:
    """All pages."""
    found = [rows_of(commit, query)]
    while found[-1].next is not None:
        found.append(rows_of(commit, msgspec.structs.replace(query, after=found[-1].next)))
    return found
