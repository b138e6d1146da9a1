"""Plans of commits: whatever arrives when, by whatever clock, each key is in one file and nothing is lost."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_foreign, is_placed, is_sealed, is_small
from datahub_assets.domain.files.partitions import window_start_at
from datahub_assets.domain.rows import content_columns, frame_of, overlay, supersede
from datahub_assets.domain.tables import ByRange
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.planned import Files, commit, published
from tests.unit.placed_rows import DAILY_NORTH, GROUPED, MONTHLY, START_MS


@st.composite
def candles(draw: st.DrawFn, *, now_ms: int) -> list[dict[str, object]]:
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        step = interval(draw(st.sampled_from(["15m", "1h", "1d"])))
        back = draw(st.one_of(st.integers(0, 3), st.integers(0, 60)))
        open_time = step.floor(now_ms) - back * step.length_ms
        rows.append(
            {
                "symbol": draw(st.sampled_from(["AUSDT", "BUSDT"])),
                "interval": step.name,
                "timestamp": open_time,
                "close": draw(st.sampled_from([1.0, 2.0])),
                "closed": back > 0 or draw(st.booleans()),
                "ingested_at": now_ms,
            }
        )
    return rows


@st.composite
def prices(draw: st.DrawFn, *, now_ms: int) -> list[dict[str, object]]:
    back_ms = st.one_of(st.integers(0, 90), st.integers(0, 3000)).map(lambda minutes: minutes * MINUTE_MS)
    return [
        {
            "coin_id": draw(st.sampled_from(["bitcoin", "ethereum", "dai"])),
            "timestamp": (now_ms - draw(back_ms)) // MINUTE_MS * MINUTE_MS,
            "price": draw(st.sampled_from([1.0, 2.0])),
            "ingested_at": now_ms,
        }
        for _ in range(draw(st.integers(0, 4)))
    ]


@st.composite
def incidents(draw: st.DrawFn, *, now_ms: int) -> list[dict[str, object]]:
    """Few names, so that a later version of an incident has another time: of the window, or of some month before."""
    back_ms = st.sampled_from([0, 0, 5, 60, 26 * 60, 3 * 24 * 60, 33 * 24 * 60, 70 * 24 * 60])
    return [
        {
            "incident_id": draw(st.sampled_from(["a", "b", "c", "d"])),
            "timestamp": now_ms - draw(back_ms) * MINUTE_MS,
            "services": draw(st.sampled_from([None, [], ["api"], ["api", "wallet"]])),
            "ingested_at": now_ms - draw(st.sampled_from([0, 0, 0, HOUR_MS])),
        }
        for _ in range(draw(st.integers(0, 4)))
    ]


@st.composite
def receipts(draw: st.DrawFn, *, now_ms: int) -> list[dict[str, object]]:
    """Numbers of two ranges and around their ends; a version that is final now may have been open long ago."""
    return [
        {
            "register": draw(st.sampled_from(["north", "south"])),
            "number": draw(st.sampled_from([998, 999, 1000, 2500])),
            "stamped_at": now_ms - draw(st.sampled_from([0, 30, 61, 200, 1500, 50_000])) * MINUTE_MS,
            "amount": draw(st.sampled_from([1.0, 2.0])),
            "settled": draw(st.booleans()),
            "ingested_at": now_ms - draw(st.sampled_from([0, 0, 0, HOUR_MS])),
        }
        for _ in range(draw(st.integers(0, 4)))
    ]


UPSTREAMS = {"market": prices, "ohlc": candles, "incidents": incidents, "receipts": receipts}


@st.composite
def ticks(draw: st.DrawFn) -> tuple[DatasetSpec, list[tuple[int, pl.DataFrame]]]:
    """A dataset and publishes to it: (the publisher's clock, its rows). Clocks differ and jump, also back."""
    spec = draw(st.sampled_from([MARKET, OHLC, INCIDENTS, RECEIPTS, GROUPED, MONTHLY, DAILY_NORTH]))
    now_ms, steps = START_MS, []
    for _ in range(draw(st.integers(1, 6))):
        now_ms += draw(st.sampled_from([1, 7, 30, 61, 130, 1500, -45])) * MINUTE_MS
        rows = draw(UPSTREAMS[spec.name](now_ms=now_ms))
        skew_ms = draw(st.sampled_from([0, 0, 0, -90 * MINUTE_MS, 2 * DAY_MS, 400 * DAY_MS]))
        frame = frame_of(spec, [{name: row.get(name) for name in spec.column_names} for row in rows])
        steps.append((now_ms + skew_ms, frame))
    return spec, steps


def latest(spec: DatasetSpec, frame: pl.DataFrame) -> int | None:
    newest: int | None = frame.select(spec.time_ms().max()).item()
    return newest


def said(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """What rows say, in no order."""
    return sorted(map(repr, frame.select(names).rows()))


@settings(max_examples=60, deadline=None)
@given(ticks())
def test_every_commit_has_each_key_once_and_every_row(case: tuple[DatasetSpec, list[tuple[int, pl.DataFrame]]]) -> None:
    replay(*case)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(ticks())
def test_every_commit_has_each_key_once_at_length(case: tuple[DatasetSpec, list[tuple[int, pl.DataFrame]]]) -> None:
    replay(*case)


def replay(spec: DatasetSpec, steps: list[tuple[int, pl.DataFrame]]) -> None:
    files: Files = {}
    everything = frame_of(spec, [])
    reached = 0
    for now_ms, new in steps:
        newest = latest(spec, pl.concat([everything, new]))
        window_start = window_start_at(spec, now_ms=now_ms, newest=newest, reached=reached)
        assert window_start >= reached
        reached = window_start

        step = commit(spec, files, new, window_start=window_start, now_ms=now_ms)
        changes = supersede(spec, stored=everything, incoming=new)
        everything = overlay(spec, stored=everything, changes=changes)

        assert step.changed.sort(spec.file_order).equals(changes.sort(spec.file_order))
        content = content_columns(spec)
        held = published(files) if files else frame_of(spec, [])
        assert held.select(spec.key).is_unique().all()
        assert said(held, content) == said(everything, content)
        check_layout(spec, files, window_start=window_start)
        again = commit(spec, files, new, window_start=window_start, now_ms=now_ms)
        assert (again.writes, again.deletes) == ({}, ()), "again is nothing"


def check_layout(spec: DatasetSpec, files: Files, *, window_start: int) -> None:
    for path, frame in files.items():
        assert is_placed(spec, path)
        assert is_sealed(spec, path) is not is_small(spec, path)
        assert not is_foreign(spec, path)
        assert frame.height
        assert frame.equals(frame.sort(spec.file_order)), f"{path} is sorted"
        for values in frame.iter_rows(named=True):
            home = placed(spec, values, window_start=window_start)
            assert path == home or (home.endswith("/live/") and path.startswith(home))


def by_hours(spec: DatasetSpec, group: str) -> bool:
    """Whether these rows are collected by hours, and folded by days."""
    return group in {"15m", "north"} if spec in (OHLC, DAILY_NORTH) else spec not in (INCIDENTS, MONTHLY)


def placed(spec: DatasetSpec, values: dict[str, Any], *, window_start: int) -> str:
    """Where a row lies, told a second time; the folder where any file of it will do."""
    group = values[spec.group] if spec.group else ""
    folder = f"data/{group}/" if group else "data/"
    moment, begin = values[spec.time], datetime.fromtimestamp(window_start / 1000, UTC)
    if spec.final is not None and not values[spec.final]:
        return f"{folder}open.parquet"
    day = begin.replace(hour=0)
    if by_hours(spec, group):
        window, period, current = begin, day, f"{folder}live/"
        window_name, period_name = f"hours/{moment:%Y-%m-%dT%H}", f"{moment:%Y-%m-%d}"
    else:
        window, period, current = day, day.replace(day=1), f"{folder}today.parquet"
        window_name, period_name = f"days/{moment:%Y-%m-%d}", f"{moment:%Y-%m}"
    if moment >= window:
        return current
    if moment >= period:
        return f"{folder}{window_name}.parquet"
    if isinstance(spec.partitioning, ByRange):
        first = values["number"] // 1000 * 1000
        period_name = f"{first:012d}-{first + 999:012d}"
    return f"{folder}{period_name}.parquet"
