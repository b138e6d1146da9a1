"""Lines of the archive's files: read all at once, they become the rows the live check would make of them."""

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from datahub_assets.datasets.candles.archive import csv_rows
from datahub_assets.datasets.candles.archive.csv_rows import rows_of
from datahub_assets.datasets.candles.archive.placing import TimeSpan, placed
from datahub_assets.datasets.candles.archive.unzip import UnreadableFile
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import read_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.fields import AHEAD_LIMIT_MS, EARLIEST_MS
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.times import HOUR_MS

OPEN_MS = 1_730_419_200_000  # 2024-11-01
NOW_MS = OPEN_MS + 20 * HOUR_MS
GOOD = [
    "0", "51690.95000000", "52131.85000000", "47500.00000000", "51125.14000000", "132230.78071900", "0",
    "6571097317.46791836", "2888237", "63769.62125300", "3170392794.05488430", "0",
]  # fmt: skip
TIMES, COUNT = (0, 6), 8
NUMBERS = [1, 2, 3, 4, 5, 7, 8, 9, 10]

parsed = st.sampled_from(["0", "-1", "-0.5", "0.00000000", "9" * 400, "51690", "52131.86", "47499.99", "00.5", "-0"])
"""What polars reads as a number."""
SPELT = (
    *("", "1e5", "nan", "NaN", "inf", "-inf", ".5", "5.", "-.0", "+5", " 5", "5 ", "abc", "1_0", '"1"', "12.0", "1.5"),
    "٣",
)
"""What it reads as none, or otherwise than the live check."""
spelt = st.sampled_from(SPELT)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def lines(changes: list[dict[int, str]], offsets: list[dict[int, int]], *, in_us: bool = False) -> list[list[str]]:
    """The fields of good lines, an hour after each other, with single ones changed and times moved."""
    found = []
    for at, (changed, moved) in enumerate(zip(changes, offsets, strict=True)):
        fields = list(GOOD)
        opened = OPEN_MS + at * HOUR_MS
        times = {0: opened + moved.get(0, 0), 6: opened + HOUR_MS - 1 + moved.get(6, 0)}
        for column, time in times.items():
            fields[column] = str(time * 1000 if in_us else time)
        for column, value in changed.items():
            fields[column] = value
        found.append(fields)
    return found


def klines_of(fields: list[list[str]], *, in_us: bool) -> list[list[Any]]:
    """The same as REST would answer it."""

    def value(column: int, text: str) -> object:
        if column in (*TIMES, COUNT) and text.isascii() and text.removeprefix("-").isdigit():
            number = int(text)
            return number // 1000 if in_us and column in TIMES else number
        if column in (*TIMES, COUNT) and text in {"12.0", "1.5", "0.00000000", "-0.5", "00.5", "52131.86", "47499.99"}:
            return float(text)
        return text

    return [[value(column, text) for column, text in enumerate(line)] for line in fields]


def same_as_live(fields: list[list[str]], *, in_us: bool) -> None:
    """Both ways take the same rows and refuse the same for the same reasons."""
    content = "".join(",".join(line) + "\n" for line in fields).encode()
    found = rows_of(content, symbol="BTCUSDT", interval=interval("1h"), now_ms=NOW_MS)
    rows, rejected = read_klines(
        klines_of(fields, in_us=in_us), symbol="BTCUSDT", interval=interval("1h"), server_time_ms=NOW_MS, now_ms=NOW_MS
    )
    assert_frame_equal(found.checked.frame.sort("timestamp"), frame_of(OHLC, rows).sort("timestamp"), check_exact=True)
    assert found.checked.rejected == tuple(rejected)


moves = st.dictionaries(
    st.sampled_from(TIMES), st.sampled_from([0, -1, 5, -HOUR_MS, HOUR_MS, 40 * HOUR_MS]), max_size=2
)
size = st.integers(1, 8)


@unhurried
@given(st.data(), size, st.booleans())
def test_numbers_out_of_bounds_are_refused_as_by_the_live_check(data: st.DataObject, count: int, in_us: bool) -> None:
    changes = [data.draw(st.dictionaries(st.sampled_from(NUMBERS), parsed, max_size=2)) for _ in range(count)]
    changes = [{c: v for c, v in one.items() if c != COUNT or v.removeprefix("-").isdigit()} for one in changes]
    same_as_live(lines(changes, [data.draw(moves) for _ in range(count)], in_us=in_us), in_us=in_us)


@unhurried
@given(st.data(), size, st.booleans())
def test_whatever_stands_in_a_field_both_say_the_same(data: st.DataObject, count: int, in_us: bool) -> None:
    column = st.sampled_from([*NUMBERS, *TIMES])
    odd = {**dict.fromkeys(NUMBERS, parsed | spelt), **dict.fromkeys(TIMES, spelt)}
    changes = [{c: data.draw(odd[c]) for c in data.draw(st.sets(column, max_size=2))} for _ in range(count)]
    fields = lines(changes, [data.draw(moves) for _ in range(count)], in_us=in_us)
    fields = [line[: data.draw(st.sampled_from([12, 12, 12, 11, 10, 1]))] for line in fields]
    fields = [*lines([{}], [{0: -HOUR_MS, 6: -HOUR_MS}], in_us=in_us), *fields]  # how a file begins, tells what it is
    same_as_live(fields, in_us=in_us)


@pytest.mark.parametrize("text", SPELT)
def test_each_spelling_is_refused_where_nothing_else_is_odd(text: str) -> None:
    for column in (*TIMES, *NUMBERS):
        same_as_live(lines([{}, {column: text}, {}], [{}] * 3), in_us=False)


LATEST_MS = NOW_MS + AHEAD_LIMIT_MS


@pytest.mark.parametrize("in_us", [False, True])
@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        (EARLIEST_MS - 1, EARLIEST_MS + HOUR_MS),
        (EARLIEST_MS, EARLIEST_MS),
        (LATEST_MS, LATEST_MS + HOUR_MS),
        (LATEST_MS + 1, LATEST_MS + HOUR_MS),
        (LATEST_MS, LATEST_MS + HOUR_MS + 1),
        (NOW_MS - 1, NOW_MS - 1),
        (NOW_MS, NOW_MS),
    ],
)
def test_times_are_believed_as_far_as_by_the_live_check(opened: int, closed: int, in_us: bool) -> None:
    usual = [opened - OPEN_MS - HOUR_MS, closed - OPEN_MS - 2 * HOUR_MS + 1]
    same_as_live(lines([{}, {}], [{}, dict(zip(TIMES, usual, strict=True))], in_us=in_us), in_us=in_us)


def test_a_row_out_of_bounds_costs_no_other_row_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def counted(raw: Any, **words: Any) -> Any:
        klines = list(raw)
        looked_at.append(len(klines))
        return read_klines(klines, **words)

    monkeypatch.setattr(csv_rows, "read_klines", counted)
    same_as_live(lines([{}, {}, {3: "-1"}, {}], [{}] * 4), in_us=False)
    assert looked_at == [1]


def read(text: str) -> csv_rows.FileRows:
    return rows_of(text.encode(), symbol="BTCUSDT", interval=interval("1h"), now_ms=NOW_MS)


GOOD_LINE = ",".join(lines([{}], [{}])[0]) + "\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_end_as_they_do(end: str) -> None:
    found = read(GOOD_LINE.rstrip() + end)
    assert found.checked.frame["timestamp"].dt.epoch("ms").to_list() == [OPEN_MS]
    assert found.checked.rejected == ()


def test_an_empty_line_is_no_row() -> None:
    found = read(GOOD_LINE + "\n" + GOOD_LINE.replace(str(OPEN_MS), str(OPEN_MS + HOUR_MS - 1), 1))
    assert found.checked.frame.height == 2
    assert [one.reason for one in found.checked.rejected] == ["kline has 1 elements, not 12"]


def test_nothing_is_no_rows() -> None:
    assert read("").checked.frame.equals(pl.DataFrame(schema=OHLC.polars_schema()))


@pytest.mark.parametrize(
    "name", ["open_time,open,high,low,close,volume,close_time\n", "Open time,Open,High,Low,Close,V\r\n"]
)
def test_names_of_columns_are_no_row(name: str) -> None:
    assert (read(name + GOOD_LINE).has_header, read(GOOD_LINE).has_header) == (True, False)
    assert read(name + GOOD_LINE).checked.frame.equals(read(GOOD_LINE).checked.frame)


def test_microseconds_become_milliseconds() -> None:
    in_us = ",".join(lines([{}], [{}], in_us=True)[0]).replace("999000,", "999999,") + "\n"
    assert (read(in_us).in_us, read(GOOD_LINE).in_us) == (True, False)
    assert read(in_us).checked.frame.equals(read(GOOD_LINE).checked.frame)


def test_a_candle_that_opens_within_a_millisecond_is_told() -> None:
    later = ",".join(lines([{}], [{}], in_us=True)[0]).replace(f"{OPEN_MS}000", f"{OPEN_MS}001") + "\n"
    assert read(later).unaligned == {OPEN_MS}
    span = TimeSpan("2024-11-01", OPEN_MS, OPEN_MS + 24 * HOUR_MS)
    frame, remarks = placed(read(later), span, step_ms=HOUR_MS)
    assert (frame.height, remarks) == (0, ("1 row (2024-11-01T00:00:00Z) off the grid: set aside",))
    assert read(later.replace("2888237", "12.0")).unaligned == {OPEN_MS}, "also where each line is looked at"


def test_rows_come_in_order_of_time() -> None:
    text = "".join(",".join(line) + "\n" for line in reversed(lines([{}] * 3, [{}] * 3)))
    frame, remarks = placed(read(text), TimeSpan("2024-11-01", OPEN_MS, OPEN_MS + 24 * HOUR_MS), step_ms=HOUR_MS)
    assert frame["timestamp"].dt.epoch("ms").to_list() == [OPEN_MS, OPEN_MS + HOUR_MS, OPEN_MS + 2 * HOUR_MS]
    assert remarks == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html>\n", "no CSV of klines; it begins with '<!DOCTYPE html>'"),
        ("\ufeff" + GOOD_LINE, "no CSV of klines"),
        (GOOD_LINE + GOOD_LINE.replace(str(OPEN_MS), f"{OPEN_MS}000"), "mixes milliseconds and microseconds"),
        (GOOD_LINE.replace(str(OPEN_MS), f"{OPEN_MS}000"), "mixes milliseconds and microseconds"),
        (GOOD_LINE.replace("1730", "1730000000"), "stamps are neither milliseconds nor microseconds"),
        (f"{OPEN_MS // 1000},1,1,1,1,1,{OPEN_MS // 1000},1,1,1,1,0\n", "stamps are neither"),
    ],
)
def test_what_is_of_no_known_form_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(text)
