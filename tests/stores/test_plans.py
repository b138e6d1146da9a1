"""Plans of commits, case by case: which files are written, sealed, folded and split."""

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.partitions import window_start_at
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.tables import ROLL_DELAY_MS
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores.publish.plans import plan
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.planned import Files, commit, published
from tests.unit.placed_rows import GROUPED, MONTHLY, at, row


def test_a_row_with_another_time_leaves_the_file_it_was_in() -> None:
    old, older = at("2025-10-05T07:00"), at("2025-08-05T07:00")
    others = row(INCIDENTS, incident_id="b", timestamp=old, ingested_at=old)
    was = row(INCIDENTS, incident_id="a", timestamp=old, ingested_at=old)
    files: Files = {"data/2025-10.parquet": pl.concat([was, others])}
    moved = row(INCIDENTS, incident_id="a", timestamp=older, ingested_at=old + 1)
    step = commit(INCIDENTS, files, moved, window_start=at("2025-11-22"), now_ms=at("2025-11-22T10:00"))
    assert (step.rows_added, step.replaced.height) == (0, 1)
    assert sorted(files) == ["data/2025-08.parquet", "data/2025-10.parquet"]
    assert files["data/2025-10.parquet"].equals(others)
    assert files["data/2025-08.parquet"].equals(moved)


def test_a_sealed_file_goes_with_the_last_row_that_leaves_it() -> None:
    old, now_ms = at("2025-10-05T07:00"), at("2025-11-22T10:00")
    files: Files = {"data/2025-10.parquet": row(INCIDENTS, incident_id="a", timestamp=old, ingested_at=old)}
    again = row(INCIDENTS, incident_id="a", timestamp=now_ms, ingested_at=now_ms)
    step = commit(INCIDENTS, files, again, window_start=at("2025-11-22"), now_ms=now_ms)
    assert (step.deletes, step.rows_added) == (("data/2025-10.parquet",), 0)
    assert list(files) == ["data/today.parquet"]


@pytest.mark.parametrize(("late_ms", "sealed"), [(-1, False), (0, True)])
def test_an_hour_of_prices_is_sealed_ten_minutes_late(late_ms: int, sealed: bool) -> None:
    stamp = at("2025-11-22T10:59:59")
    now_ms = at("2025-11-22T11:00") + ROLL_DELAY_MS + late_ms
    files: Files = {"data/live/1059.parquet": price(stamp)}
    commit(MARKET, files, nothing(MARKET), window_start=window_of(MARKET, stamp, now_ms=now_ms), now_ms=now_ms)
    assert list(files) == (["data/hours/2025-11-22T10.parquet"] if sealed else ["data/live/1059.parquet"])


@pytest.mark.parametrize(("late_ms", "folded"), [(-1, False), (0, True)])
def test_a_day_of_prices_is_folded_once_it_is_over(late_ms: int, folded: bool) -> None:
    stamps = [at(f"2025-11-22T{hour:02d}:30") for hour in range(24)]
    now_ms = at("2025-11-23") + ROLL_DELAY_MS + late_ms
    files: Files = {f"data/hours/2025-11-22T{hour:02d}.parquet": price(stamps[hour]) for hour in range(23)}
    files["data/live/2330.parquet"] = price(stamps[23])
    before = set(files)
    commit(MARKET, files, nothing(MARKET), window_start=window_of(MARKET, stamps[23], now_ms=now_ms), now_ms=now_ms)
    assert set(files) == ({"data/2025-11-22.parquet"} if folded else before)
    assert published(files).height == 24


def test_days_of_candles_are_folded_once_the_month_is_over() -> None:
    days = {f"data/1h/days/2025-11-{day}.parquet": candle(at(f"2025-11-{day}T07:00"), "1h") for day in (28, 29)}
    files: Files = {**days, "data/1h/today.parquet": candle(at("2025-11-30T07:00"), "1h")}
    commit(OHLC, files, nothing(OHLC), window_start=at("2025-12-01"), now_ms=at("2025-12-01T00:10"))
    assert list(files) == ["data/1h/2025-11.parquet"]


def test_what_is_sealed_is_not_read_while_rows_come_and_windows_roll() -> None:
    stamp = at("2025-11-22T10:59")
    files: Files = {"data/live/1059.parquet": price(stamp)}
    sealed = {f"data/hours/2025-11-22T{hour:02d}.parquet" for hour in range(10)} | {"data/2025-11-21.parquet"}
    new = price(at("2025-11-22T11:09"))
    step = plan(
        MARKET, small=files, new=new, window_start=at("2025-11-22T11:00"), live="1110.parquet", load=fail, sealed=sealed
    )
    assert sorted(step.writes) == ["data/hours/2025-11-22T10.parquet", "data/live/1110.parquet"]


def test_a_day_written_whole_by_an_earlier_version_is_split_when_it_is_touched() -> None:
    times = [at("2025-11-22T08:15"), at("2025-11-22T09:15")]
    files: Files = {"data/2025-11-22.parquet": pl.concat(map(price, times))}
    again = price(times[1], price=2.0, ingested_at=times[1] + 1)
    step = commit(MARKET, files, again, window_start=at("2025-11-22T10:00"), now_ms=at("2025-11-22T10:30"))
    assert sorted(files) == ["data/hours/2025-11-22T08.parquet", "data/hours/2025-11-22T09.parquet"]
    assert (step.rows_added, step.replaced["price"].to_list()) == (0, [1.0])


def test_files_of_longer_periods_are_split_when_they_are_touched() -> None:
    times = [at("2025-02-03"), at("2025-03-05")]
    year = pl.concat([candle(time, "1d") for time in times])
    files: Files = {"data/1d/2025.parquet": year, "data/1d/2024.parquet": candle(at("2024-05-05"), "1d")}
    again = candle(times[1], "1d", close=2.0, ingested_at=times[1] + 1)
    commit(OHLC, files, again, window_start=at("2025-11-22"), now_ms=at("2025-11-22T10:00"))
    assert sorted(files) == ["data/1d/2024.parquet", "data/1d/2025-02.parquet", "data/1d/2025-03.parquet"]


def test_a_file_that_is_split_goes_into_those_there_are() -> None:
    old = [at("2025-02-03"), at("2025-03-05")]
    files: Files = {"data/1d/2025.parquet": pl.concat([candle(time, "1d") for time in old])}
    files["data/1d/2025-02.parquet"] = candle(at("2025-02-04"), "1d")
    commit(OHLC, files, candle(at("2025-03-06"), "1d"), window_start=at("2025-11-22"), now_ms=at("2025-11-22T10:00"))
    assert {path: frame.height for path, frame in files.items()} == {
        "data/1d/2025-02.parquet": 2,
        "data/1d/2025-03.parquet": 2,
    }


def test_only_the_new_minute_is_written_whatever_lies_there() -> None:
    base = at("2025-11-22T10:00")
    files: Files = {}
    for minute in range(30):
        now_ms = base + minute * MINUTE_MS
        step = commit(MARKET, files, price(now_ms), window_start=base, now_ms=now_ms)
        assert list(step.writes) == [f"data/live/10{minute:02d}.parquet"]


def test_a_changed_row_is_rewritten_where_it_lies() -> None:
    base = at("2025-11-22T10:00")
    files: Files = {"data/live/1001.parquet": price(base)}
    new = price(base, price=2.0, ingested_at=base + 1)
    step = commit(MARKET, files, new, window_start=base, now_ms=base + 5 * MINUTE_MS)
    assert list(step.writes) == ["data/live/1001.parquet"]
    assert step.replaced["price"].to_list() == [1.0]


def test_a_late_correction_rewrites_its_file_alone() -> None:
    old, now_ms = at("2025-03-05T07:00"), at("2025-11-22T10:00")
    files: Files = {
        "data/1h/2025-03.parquet": candle(old, "1h"),
        "data/1h/2025-04.parquet": candle(at("2025-04-05T07:00"), "1h"),
    }
    new = candle(old, "1h", close=2.0, ingested_at=now_ms)
    fetched: list[str] = []

    def load(path: str) -> pl.DataFrame:
        fetched.append(path)
        return files[path]

    step = plan(OHLC, small={}, new=new, window_start=at("2025-11-22"), live="1000.parquet", load=load, sealed=files)
    assert list(step.writes) == fetched == ["data/1h/2025-03.parquet"]


@pytest.mark.parametrize("path", ["data/1h/2025-11.parquet", "data/1h/days/2025-11-20.parquet"])
def test_a_forming_candle_never_joins_its_closed_version(path: str) -> None:
    old, now_ms = at("2025-11-20T07:00"), at("2025-11-22T10:00")
    files: Files = {path: candle(old, "1h")}
    forming = candle(old, "1h", close=3.0, closed=False, ingested_at=now_ms)
    step = commit(OHLC, files, forming, window_start=at("2025-11-22"), now_ms=now_ms)
    assert published(files)["closed"].to_list() == [True]
    assert step.changed.is_empty()


@pytest.mark.parametrize(
    ("spec", "folder", "live"),
    [(RECEIPTS, "data/", "live/1001"), (MONTHLY, "data/", "today"), (GROUPED, "data/north/", "live/1001")],
)
def test_a_row_leaves_the_open_file_when_it_is_final(spec: DatasetSpec, folder: str, live: str) -> None:
    base = at("2025-11-22T10:00")
    files: Files = {}
    values = {"register": "north", "number": 7, "stamped_at": base, "ingested_at": base}
    commit(spec, files, row(spec, **values, settled=False), window_start=base, now_ms=base)
    assert list(files) == [f"{folder}open.parquet"]
    commit(spec, files, row(spec, **values, settled=True), window_start=base, now_ms=base + MINUTE_MS)
    assert list(files) == [f"{folder}{live}.parquet"]


def price(stamp: int, **values: object) -> pl.DataFrame:
    return row(MARKET, **{"coin_id": "a", "timestamp": stamp, "price": 1.0, "ingested_at": stamp, **values})


def candle(open_time: int, name: str, **values: object) -> pl.DataFrame:
    told = {"symbol": "A", "interval": name, "timestamp": open_time, "close": 1.0, "closed": True}
    return row(OHLC, **{**told, "ingested_at": open_time, **values})


def nothing(spec: DatasetSpec) -> pl.DataFrame:
    return frame_of(spec, [])


def window_of(spec: DatasetSpec, newest: int, *, now_ms: int) -> int:
    return window_start_at(spec, now_ms=now_ms, newest=newest, reached=0)


def fail(path: str) -> pl.DataFrame:
    raise AssertionError(f"{path} was read")
