"""Every way a file of the archive was seen to be wrong: it is told, and the month has the right rows all the same."""

import tracemalloc
from typing import Any

import pytest

from datahub_assets.datasets.candles.archive.unzip import UnreadableFile, unzipped
from datahub_assets.domain.history import Month, Verdict
from tests.datasets.candles.conftest import NOVEMBER, NOW_MS, Market, detail, kind_of, rows_of, verdicts
from tests.fakes.archive.market import FileOf
from tests.fakes.archive.spoiled import Made, lying_bomb

MONTHLY = "BTCUSDT-1h-2024-11.zip"
DAILY = "BTCUSDT-1h-2024-11-{:02}.zip"
ROWS = 720
MIB = 2**20


def spoil(market: Market, kind: str, **details: Any) -> None:
    market.archive.spoil(MONTHLY, kind, **details)


def test_a_good_month_is_one_file(market: Market) -> None:
    found = market.fetch()
    assert verdicts(found) == [("monthly", Verdict.COMPLETE, ROWS)]
    assert (detail(found), found.done, found.gaps, found.rejected, found.corrections) == ("", True, (), (), None)
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)
    assert {one.path.rpartition("/")[2] for one in market.archive.requests} == {MONTHLY, f"{MONTHLY}.CHECKSUM"}


@pytest.mark.parametrize(
    ("kind", "details", "verdict", "said"),
    [
        ("checksum_mismatch", {}, Verdict.BAD_CHECKSUM, f", and its CHECKSUM says {'0' * 64}"),
        ("checksum_missing", {}, Verdict.BAD_CHECKSUM, "there is no CHECKSUM of it"),
        ("checksum_is", {"text": "<html>"}, Verdict.BAD_CHECKSUM, "its CHECKSUM cannot be read: '<html>'"),
        ("checksum_is", {"text": f"{'0' * 64}  other.zip"}, Verdict.BAD_CHECKSUM, "its CHECKSUM is of 'other.zip'"),
        ("not_a_zip", {}, Verdict.UNREADABLE, "the zip cannot be read: File is not a zip file"),
        ("cut_zip", {}, Verdict.UNREADABLE, "the zip cannot be read"),
        ("html", {}, Verdict.UNREADABLE, "the zip cannot be read: File is not a zip file"),
        ("bad_crc", {}, Verdict.UNREADABLE, "the zip cannot be read: Bad CRC-32"),
        ("bomb", {"mib": 8}, Verdict.UNREADABLE, f"the zip inflates to {8 * MIB} bytes, more than 369152"),
        ("lying_bomb", {"mib": 8}, Verdict.UNREADABLE, "the zip cannot be read"),
        ("members", {"names": []}, Verdict.UNREADABLE, "the zip has 0 members, not one"),
        ("members", {"names": ["BTCUSDT-1h-2024-11.csv", "x"]}, Verdict.UNREADABLE, "the zip has 2 members, not one"),
        (
            "members",
            {"names": ["ETHUSDT-1h-2024-11.csv"]},
            Verdict.UNREADABLE,
            "the zip holds 'ETHUSDT-1h-2024-11.csv'",
        ),
        ("mixed_units", {}, Verdict.UNREADABLE, "the file mixes milliseconds and microseconds"),
        ("seconds", {}, Verdict.UNREADABLE, "stamps are neither milliseconds nor microseconds"),
        ("lines", {"text": "<html>no</html>"}, Verdict.UNREADABLE, "the file is no CSV of klines"),
        ("lines", {"text": ""}, Verdict.SHORT, "720 of 720 rows lack (the first of 2024-11-01T00:00:00Z)"),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside_and_daily_ones_take_its_place(
    market: Market, kind: str, details: dict[str, Any], verdict: Verdict, said: str
) -> None:
    spoil(market, kind, **details)
    found = market.fetch()
    assert verdicts(found) == [("monthly", verdict, 0), *[("daily", Verdict.COMPLETE, 24)] * 30]
    assert said in detail(found)
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)
    assert (found.done, found.gaps, found.rejected) == (True, (), ())
    assert found.sources[0].sha256 is not None, "also of what is not believed it is told what came"


def test_a_zip_that_lies_about_its_size_takes_no_memory() -> None:
    of = FileOf.parse(f"data/spot/monthly/klines/BTCUSDT/1h/{MONTHLY}")
    assert of is not None
    content = lying_bomb(mib=64)(Made(of, MONTHLY, [])).zipped
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile, match="Bad CRC-32"):
            unzipped(content, names=("BTCUSDT-1h-2024-11.csv",), most_bytes=MIB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "details", "said", "replaced"),
    [
        ("header", {}, "it begins with the names of the columns", 0),
        ("microseconds", {}, "its stamps count microseconds, where milliseconds are usual", 0),
        ("outside", {"count": 2}, "2 rows (the first of 2024-12-01T00:00:00Z) outside of 2024-11: set aside", 0),
        ("doubled", {}, "1 row (2024-11-01T03:00:00Z) more than once", 0),
        ("doubled", {"differs": True}, "1 row (2024-11-01T03:00:00Z) with different values: set aside", 1),
        ("off_grid", {"by_ms": 1234}, "1 row (2024-11-01T05:00:01.234Z) off the grid: set aside", 1),
        ("off_grid", {"count": 3}, "3 rows (the first of 2024-11-01T05:00:01.234Z) off the grid: set aside", 3),
        ("bad_row", {"column": 2, "value": "1e9"}, "a check: 1 (the first: high is not a decimal number: '1e9')", 1),
        ("bad_row", {"column": 5, "value": "-1"}, "a check: 1 (the first: volume must not be negative: -1.0)", 1),
        ("bad_row", {"column": 6, "value": str(NOW_MS + 1)}, "1 row (2024-11-01T04:00:00Z) not final: set aside", 1),
    ],
)
def test_what_is_odd_within_a_file_is_told_and_costs_no_more_than_its_rows(
    market: Market, kind: str, details: dict[str, Any], said: str, replaced: int
) -> None:
    spoil(market, kind, **details)
    found = market.fetch()
    lacking = Verdict.SHORT if replaced else Verdict.COMPLETE
    daily = [("daily", Verdict.COMPLETE, replaced)] if replaced else []
    assert verdicts(found) == [("monthly", lacking, ROWS - replaced), *daily]
    assert said in detail(found)
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)
    assert [one.subject for one in found.rejected] == ["BTCUSDT 1h"] * ("failed a check" in detail(found))
    assert found.done


@pytest.mark.parametrize(
    ("month", "kind", "said"),
    [
        (Month(2024, 12), None, ""),
        (Month(2025, 1), None, ""),
        (Month(2024, 12), "microseconds", "its stamps count microseconds, where milliseconds are usual"),
        (Month(2025, 1), "milliseconds", "its stamps count milliseconds, where microseconds are usual"),
    ],
)
def test_the_unit_of_stamps_is_told_by_the_file(market: Market, month: Month, kind: str | None, said: str) -> None:
    if kind is not None:
        market.archive.spoil(f"BTCUSDT-1h-{month}.zip", kind)
    found = market.fetch(month=month)
    assert verdicts(found) == [("monthly", Verdict.COMPLETE, 744)]
    assert detail(found) == said
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)
    assert (found.rows["close_time"] - found.rows["timestamp"]).dt.total_milliseconds().unique().to_list() == [3599999]


def test_a_month_of_seven_days_is_told_and_filled(market: Market) -> None:
    spoil(market, "week")
    found = market.fetch()
    assert verdicts(found) == [("monthly", Verdict.SHORT, 168), *[("daily", Verdict.COMPLETE, 24)] * 23]
    assert detail(found) == "552 of 720 rows lack (the first of 2024-11-08T00:00:00Z)"
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)


def test_a_day_cut_short_in_both_files_is_asked_of_the_exchange(market: Market) -> None:
    start_ms = NOVEMBER.start_ms + 4 * 24 * 3_600_000
    spoil(market, "hole", start_ms=start_ms + 20 * 3_600_000, end_ms=start_ms + 24 * 3_600_000)
    market.archive.spoil(DAILY.format(5), "cut_short", hours=20)
    found = market.fetch()
    assert verdicts(found) == [
        ("monthly", Verdict.SHORT, 716),
        ("daily", Verdict.SHORT, 0),
        ("rest", Verdict.COMPLETE, 4),
    ]
    assert detail(found, "daily") == "4 of 24 rows lack (the first of 2024-11-05T20:00:00Z)"
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)
    assert (found.done, found.gaps) == (True, ())


def test_a_file_that_is_being_replaced_is_asked_for_once_more(market: Market) -> None:
    market.archive.replace(MONTHLY, times=1)
    assert verdicts(market.fetch()) == [("monthly", Verdict.COMPLETE, ROWS)]
    market.archive.replace(MONTHLY, times=2)
    assert verdicts(market.fetch())[0] == ("monthly", Verdict.BAD_CHECKSUM, 0)


def test_a_file_that_was_replaced_has_another_sha256(market: Market) -> None:
    before = market.fetch().sources[0]
    spoil(market, "disagrees", start_ms=NOVEMBER.start_ms, end_ms=NOVEMBER.start_ms + 1)
    after = market.fetch().sources[0]
    assert (before.url, before.rows) == (after.url, after.rows)
    assert before.sha256 != after.sha256


def test_a_name_without_its_zero_is_found_in_the_list_and_told(market: Market) -> None:
    month = Month(2020, 8)
    market.archive.rename_unpadded("BTCUSDT-1h-2020-08.zip")
    found = market.fetch(month=month)
    assert verdicts(found) == [("monthly", Verdict.COMPLETE, 744)]
    assert found.sources[0].url.endswith("/BTCUSDT-1h-2020-8.zip")
    assert detail(found) == "the month in its name has no leading zero"
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)


def test_with_every_file_bad_the_exchange_is_asked(market: Market) -> None:
    spoil(market, "cut_zip")
    for day in range(1, 31):
        market.archive.spoil(DAILY.format(day), "checksum_missing")
    found = market.fetch()
    assert [(kind_of(line), line.verdict) for line in found.sources] == [
        ("monthly", Verdict.UNREADABLE),
        *[("daily", Verdict.BAD_CHECKSUM)] * 30,
        ("rest", Verdict.COMPLETE),
    ]
    assert rows_of(found) == market.truth("BTCUSDT", "1h", NOVEMBER)
    assert found.done
