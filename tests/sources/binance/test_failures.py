"""What fails costs no more than itself: it is tried again, told of, and had by a later fetch."""

from typing import Any

import pytest

from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.domain.times import HOUR_MS
from tests.fakes import FakeBinance
from tests.sources.binance.conftest import KLINES, NEWEST_HOUR, Fetch, reference, rows_of, series
from tests.sources.conftest import NOW_MS


def test_a_symbol_the_exchange_does_not_know_does_not_cost_the_others(
    fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = fetch(SYMBOLS="BTCUSDT,NOPEUSDT")
    assert {name for name, _ in series(fetched)} == {"BTCUSDT"}
    assert fetched.failed.keys() == {("NOPEUSDT", name) for name in ("1h", "4h", "1d")}
    assert all(isinstance(error, SourceRejected) and "-1121" in str(error) for error in fetched.failed.values())
    assert "Binance refuses NOPEUSDT (delisted or misspelt? then take it out of DATAHUB_SYMBOLS): " in caplog.text
    with pytest.raises(SourceRejected, match="Invalid symbol"):
        fetch(SYMBOLS="NOPEUSDT,NADAUSDT")


def test_bad_klines_are_set_aside_and_good_ones_go_on(fetch: Fetch, binance: FakeBinance) -> None:
    good = binance.reference("BTCUSDT", "1h", limit=10)
    times = [int(str(row[0])) for row in good]
    nan, short, crossed = list(good[2]), good[3][:5], list(good[4])
    nan[1], crossed[2], crossed[3] = float("nan"), crossed[3], crossed[2]
    for time, row in zip(times[2:5], (nan, short, crossed), strict=True):
        binance.set_kline("BTCUSDT", "1h", open_time=time, kline=row)
    fetched = fetch(INTERVALS="1h")
    assert [row[0] for row in rows_of(fetched, "BTCUSDT", "1h")] == times[:2] + times[5:]
    reasons = [row.reason for row in fetched.checked.rejected]
    assert reasons[:2] == ["open is not finite: nan", "kline has 5 elements, not 12"]
    assert " is outside of low " in reasons[2]
    assert {row.subject for row in fetched.checked.rejected} == {"BTCUSDT 1h"}
    assert len(rows_of(fetched, "ETHUSDT", "1h")) == 10


PASSING = [
    ("server_error", {}),
    ("truncated", {}),
    ("cut_json", {}),
    ("html", {}),
    ("dropped", {}),
    ("rate_limited", {"retry_after_s": 3}),
    ("body", {"text": '{"not": "a list"}'}),
]


@pytest.mark.parametrize(("kind", "details"), PASSING)
def test_a_passing_failure_is_tried_again(
    fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any]
) -> None:
    binance.fail(kind, times=1, path=KLINES, where={"symbol": "ETHUSDT", "interval": "4h"}, **details)
    binance.fail(kind, times=1, path="/time", **details)
    fetched = fetch()
    assert fetched.failed == {}
    assert rows_of(fetched, "ETHUSDT", "4h") == reference(binance, "ETHUSDT", "4h", limit=10)


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("server_error", {}, SourceUnavailable),
        ("truncated", {}, SourceMalformed),
        ("html", {}, SourceMalformed),
        ("dropped", {}, SourceUnavailable),
        ("region_blocked", {}, SourceBlocked),
        ("firewall", {}, SourceBlocked),
        ("rate_limited", {"retry_after_s": 90}, SourceRateLimited),
    ],
)
def test_one_series_that_fails_for_good_does_not_cost_the_others(
    *, fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any], error: type[SourceError]
) -> None:
    binance.fail(kind, times=None, path=KLINES, where={"symbol": "ETHUSDT", "interval": "1d"}, **details)
    fetched = fetch()
    assert {key: type(failure) for key, failure in fetched.failed.items()} == {("ETHUSDT", "1d"): error}
    assert len(series(fetched)) == 5


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("server_error", {}, SourceUnavailable),
        ("html", {}, SourceMalformed),
        ("body", {"text": '{"serverTime": "noon"}'}, SourceMalformed),
        ("body", {"text": f'{{"serverTime": {NOW_MS * 1000}}}', "path": "/time"}, SourceMalformed),
        ("body", {"text": "[]"}, SourceMalformed),
        ("region_blocked", {}, SourceBlocked),
        ("rate_limited", {"retry_after_s": 90}, SourceRateLimited),
    ],
)
def test_when_nothing_can_be_had_the_error_says_why(
    *, fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any], error: type[SourceError]
) -> None:
    binance.fail(kind, times=None, **details)
    with pytest.raises(error):
        fetch()


def test_an_outage_in_the_middle_ends_the_asking_early(fetch: Fetch, binance: FakeBinance) -> None:
    binance.fail("server_error", times=None, path=KLINES)
    with pytest.raises(SourceUnavailable):
        fetch(SYMBOLS="all:USDT")
    assert len(binance.requested(path=KLINES)) < 30 * 3 * 3 / 2  # of 90 series with 3 attempts each


def test_single_failures_here_and_there_are_no_outage(
    fetch: Fetch, binance: FakeBinance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_assets.datasets.candles.client.fetch.CONNECTIONS", 1)
    for symbol in list(binance.listings)[:28:4]:
        binance.fail("firewall", times=None, path=KLINES, where={"symbol": symbol})
    fetched = fetch(SYMBOLS="all:USDT", INTERVALS="1d")
    assert len(fetched.failed) == 7
    assert len(series(fetched)) == 23


def test_pages_before_a_failure_are_kept_and_the_next_fetch_goes_on_from_there(
    fetch: Fetch, binance: FakeBinance
) -> None:
    first = NEWEST_HOUR - 2499 * HOUR_MS
    asked = {"startTime": str(first + 2000 * HOUR_MS - HOUR_MS + 1)}
    binance.fail("server_error", times=3, path=KLINES, where=asked)
    binance.fail("region_blocked", times=None, path=KLINES, where={"symbol": "ETHUSDT"})
    with_hole = fetch(INTERVALS="1h", HISTORY_CANDLES="2500")
    assert with_hole.failed.keys() == {("BTCUSDT", "1h"), ("ETHUSDT", "1h")}
    kept = [row[0] for row in rows_of(with_hole, "BTCUSDT", "1h")]
    assert kept == list(range(first, first + 2000 * HOUR_MS, HOUR_MS))
    binance.recover()
    rest = fetch(last={("BTCUSDT", "1h"): kept[-1]}, INTERVALS="1h", HISTORY_CANDLES="2500")
    assert {*kept, *(row[0] for row in rows_of(rest, "BTCUSDT", "1h"))} == set(
        range(first, NEWEST_HOUR + HOUR_MS, HOUR_MS)
    )


def test_an_upstream_that_ignores_the_query_is_not_asked_for_ever(fetch: Fetch, binance: FakeBinance) -> None:
    text = str(binance.reference("BTCUSDT", "1h", limit=1000)).replace("'", '"')
    binance.fail("body", times=None, path=KLINES, text=text)
    fetched = fetch(last={("BTCUSDT", "1h"): NEWEST_HOUR - 2000 * HOUR_MS}, INTERVALS="1h", SYMBOLS="BTCUSDT")
    assert fetched.checked.frame.height == 1000
    assert len(binance.requested(path=KLINES)) <= 2
