"""Which file a row belongs in, and what a file is by its path."""

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import folds_into, is_foreign, is_placed, is_sealed, sealed_file
from datahub_assets.domain.files.partitions import live_name, sealed_paths, window_start_at
from datahub_assets.domain.tables import Period
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.unit.placed_rows import GROUPED, START_MS, at, row


@pytest.mark.parametrize(
    ("name", "moment", "path"),
    [
        ("1h", "2025-11-22T07:00", "data/1h/2025-11.parquet"),
        ("4h", "2025-12-31T20:00", "data/4h/2025-12.parquet"),
        ("1d", "2025-12-31", "data/1d/2025-12.parquet"),
        ("15m", "2025-12-31T23:45", "data/15m/2025-12-31.parquet"),
    ],
)
def test_sealed_files_of_candles(name: str, moment: str, path: str) -> None:
    assert sealed_paths(OHLC, row(OHLC, symbol="A", interval=name, timestamp=at(moment))).to_list() == [path]


def test_sealed_files_of_prices_are_days() -> None:
    assert sealed_paths(MARKET, row(MARKET, coin_id="a", timestamp=at("2025-11-22T23:59:59"))).to_list() == [
        "data/2025-11-22.parquet"
    ]


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "data/000000000000-000000000999.parquet"),
        (999, "data/000000000000-000000000999.parquet"),
        (1000, "data/000000001000-000000001999.parquet"),
        (123_456_789_012_345, "data/123456789012000-123456789012999.parquet"),
        (-1, "data/-00000001000--00000000001.parquet"),
    ],
)
def test_sealed_files_of_numbers_are_ranges(number: int, path: str) -> None:
    rows = row(RECEIPTS, register="north", number=number, stamped_at=START_MS)
    assert sealed_paths(RECEIPTS, rows).to_list() == [path]
    assert is_sealed(RECEIPTS, path)
    file = sealed_file(RECEIPTS, path)
    assert file is not None
    assert (file.column, file.first % 1000, file.last - file.first) == ("number", 0, 999)


def test_a_clock_far_ahead_does_not_push_the_window_past_the_data() -> None:
    for newest in (at("2025-11-22T10:00"), at("2025-11-22T10:59:59")):
        assert window_start_at(MARKET, now_ms=at("2099-01-01"), newest=newest, reached=0) == at("2025-11-22T11:00")


def test_live_files_are_named_by_the_minute_of_publishing() -> None:
    assert live_name(at("2025-11-22T09:07:59")) == "0907.parquet"


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (OHLC, "data/1h/extra.parquet"),
        (OHLC, "data/1h/2025-1.parquet"),
        (OHLC, "data/1h/2025-11-22.parquet"),
        (OHLC, "data/1h/hours/2025-11-22T10.parquet"),
        (OHLC, "data/15m/days/2025-11-22.parquet"),
        (OHLC, "data/days/2025-11-22.parquet"),
        (OHLC, "data/extra/2025-11.parquet"),
        (OHLC, "data/2025-11.parquet"),
        (OHLC, "data/today.parquet"),
        (OHLC, "data/1h/copy/today.parquet"),
        (MARKET, "data/2025-11-22 (1).parquet"),
        (MARKET, "data/2025-11-22T10.parquet"),
        (MARKET, "data/hours/2025-11-22.parquet"),
        (MARKET, "data/hours/2025-11-22T24.parquet"),
        (MARKET, "data/old/hours/2025-11-22T10.parquet"),
        (MARKET, "data/live/extra.parquet"),
        (MARKET, "data/live/2575.parquet"),
        (MARKET, "data/old/live/0930.parquet"),
        (MARKET, "data/open.parquet"),
        (GROUPED, "data/live/0930.parquet"),
        (GROUPED, "data/west/live/0930.parquet"),
        (GROUPED, "data/open.parquet"),
        (RECEIPTS, "data/2025-11.parquet"),
        (RECEIPTS, "data/0-999.parquet"),
        (RECEIPTS, "data/000000000000-000000001999.parquet"),
        (RECEIPTS, "data/000000000500-000000001499.parquet"),
        (RECEIPTS, "data/000000001000.parquet"),
        (INCIDENTS, "data/000000000000-000000000999.parquet"),
    ],
)
def test_a_file_that_publishing_never_writes_is_foreign(spec: DatasetSpec, path: str) -> None:
    assert is_foreign(spec, path)
    assert not is_placed(spec, path)


@pytest.mark.parametrize(
    ("spec", "path", "begin", "end", "window"),
    [
        (MARKET, "data/2025-11-22.parquet", "2025-11-22", "2025-11-23", False),
        (MARKET, "data/hours/2025-11-22T23.parquet", "2025-11-22T23:00", "2025-11-23", True),
        (MARKET, "data/2025-12.parquet", "2025-12-01", "2026-01-01", False),
        (OHLC, "data/1h/2024-02.parquet", "2024-02-01", "2024-03-01", False),
        (OHLC, "data/1h/days/2024-02-29.parquet", "2024-02-29", "2024-03-01", True),
        (OHLC, "data/1d/2024.parquet", "2024-01-01", "2025-01-01", False),
        (OHLC, "data/15m/2024-02.parquet", "2024-02-01", "2024-03-01", False),
        (OHLC, "data/15m/hours/2024-02-29T07.parquet", "2024-02-29T07:00", "2024-02-29T08:00", True),
    ],
)
def test_a_sealed_file_tells_which_time_it_covers(
    spec: DatasetSpec, path: str, begin: str, end: str, window: bool
) -> None:
    file = sealed_file(spec, path)
    assert file is not None
    assert (file.column, file.first, file.last + 1, file.window) == ("timestamp", at(begin), at(end), window)


@pytest.mark.parametrize("moment", ["0001-01-01", "2024-02-29T12:00", "2025-12-31T23:59:59", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("period", Period)
def test_a_moment_is_in_its_period(period: Period, moment: str) -> None:
    time = at(moment)
    assert period.start(time) <= time < period.end(time)
    assert period.start(period.start(time)) == period.start(time)
    assert period.start(period.end(time) - 1) == period.start(time)


@pytest.mark.parametrize(
    ("spec", "path", "window_start", "into"),
    [
        (MARKET, "data/hours/2025-11-22T23.parquet", "2025-11-22T23:00", None),
        (MARKET, "data/hours/2025-11-22T23.parquet", "2025-11-23", "data/2025-11-22.parquet"),
        (MARKET, "data/2025-11-22.parquet", "2025-11-24", None),
        (OHLC, "data/1h/days/2025-11-22.parquet", "2025-11-30T23:00", None),
        (OHLC, "data/1h/days/2025-11-22.parquet", "2025-12-01", "data/1h/2025-11.parquet"),
        (RECEIPTS, "data/hours/2025-11-22T10.parquet", "2025-11-23", "data/"),
    ],
)
def test_windows_are_folded_once_their_period_is_over(
    spec: DatasetSpec, path: str, window_start: str, into: str | None
) -> None:
    assert folds_into(spec, path, window_start=at(window_start)) == into


@pytest.mark.parametrize("path", ["README.md", "gaps/gaps.parquet", "data/notes.txt", "other/2025-11-22.parquet"])
def test_what_readers_do_not_take_for_rows_is_nobodys_business(path: str) -> None:
    assert not is_foreign(MARKET, path)
    assert not is_placed(MARKET, path)
