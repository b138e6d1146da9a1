"""The list of the archive's bucket: page by page, and nothing else than a list is believed. Which pairs it names."""

import pytest

from datahub_assets.domain.errors import SourceError, SourceMalformed
from datahub_assets.domain.history import Month, Series
from tests.datasets.candles.conftest import NOVEMBER, Market, opened, verdicts

MANY = 1200


def series(market: Market, *wanted: str, with_delisted: bool = False) -> list[Series]:
    return market.history.series("1h", NOVEMBER, wanted=wanted or None, with_delisted=with_delisted)


def test_the_settings_pairs_are_meant_where_none_are_named(market: Market) -> None:
    assert series(market) == [("BTCUSDT", "1h"), ("ETHUSDT", "1h")]


def test_a_pair_of_the_settings_that_nobody_knows_keeps_no_other_out(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(market.exchange, market.archive, symbols=("BTCUSDT", "MISSPELT")) as history:
        found = history.series("1h", NOVEMBER, wanted=None, with_delisted=False)
    assert found == [("BTCUSDT", "1h")]
    assert "has MISSPELT of DATAHUB_SYMBOLS: left out" in caplog.text


def test_all_of_a_quote_are_those_that_are_traded(market: Market) -> None:
    assert series(market, "all:BTC") == [("BNBBTC", "1h"), ("ETHBTC", "1h")]
    traded = series(market, "all:USDT")
    assert ("GONEUSDT", "1h") not in traded
    assert series(market, "all:USDT", with_delisted=True) == sorted([*traded, ("GONEUSDT", "1h")])


def test_a_pair_the_exchange_forgot_is_known_by_the_archive(market: Market) -> None:
    market.archive.forget_pair("ETHUSDT")
    assert series(market, "ETHUSDT") == [("ETHUSDT", "1h")]
    assert ("ETHUSDT", "1h") not in series(market, "all:USDT")
    assert ("ETHUSDT", "1h") in series(market, "all:USDT", with_delisted=True)


def test_a_pair_that_ended_can_be_named(market: Market) -> None:
    assert series(market, "GONEUSDT") == [("GONEUSDT", "1h")]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("BTCUSD", "has a pair 'BTCUSD': did you mean BTCUSDT"), ("all:XYZ", "traded against 'XYZ'")],
)
def test_what_nobody_knows_is_named(market: Market, wanted: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        series(market, "ETHUSDT", wanted)


@pytest.mark.parametrize("wanted", ["ethusdt", "ETH/USDT", "eth-usdt"])
def test_a_pair_may_be_written_as_people_write_it(market: Market, wanted: str) -> None:
    assert series(market, wanted) == [("ETHUSDT", "1h")]


def test_an_interval_must_be_one(market: Market) -> None:
    with pytest.raises(ValueError, match="unknown interval '1w'"):
        market.history.series("1w", NOVEMBER, wanted=None, with_delisted=False)


def test_more_pairs_than_a_page_holds(market: Market) -> None:
    known = len(market.exchange.listings)
    for number in range(MANY):
        market.exchange.list_pair(base=f"M{number:04}", quote="ZAR", first_ms=NOVEMBER.start_ms)
        market.archive.forget_pair(f"M{number:04}ZAR")
    found = series(market, "all:ZAR", with_delisted=True)
    assert len(found) == MANY
    pages = market.archive.requested(path="/bucket")
    assert len(pages) == 2
    assert pages[1]["marker"] > pages[0]["prefix"]
    for number in range(MANY):
        del market.archive.forgotten[f"M{number:04}ZAR"]
    assert len(market.exchange.listings) == known


def test_more_files_than_a_page_holds(market: Market) -> None:
    market.archive.set_page_size(keys=7)
    try:
        market.archive.rename_unpadded("BTCUSDT-1h-2024-08.zip")
        found = market.fetch(month=Month(2024, 8))
    finally:
        market.archive.set_page_size(keys=1000)
    assert found.sources[0].url.endswith("BTCUSDT-1h-2024-8.zip")
    assert len(market.archive.requested(path="/bucket")) == 29, "200 keys"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("doctype", "declares a document type"),
        ("html", "declares a document type"),
        ("cut_json", "is no XML"),
        ("no_list", "is no listing but <Error>"),
        ("endless", "does not go on after '-'"),
    ],
)
def test_what_is_no_list_is_not_believed(market: Market, fault: str, message: str) -> None:
    market.archive.fail(fault, times=None, path="/bucket")
    with pytest.raises(SourceMalformed, match=message):
        series(market)


def test_what_hides_a_document_type_is_not_believed(market: Market) -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r><ListBucketResult/>'
    market.archive.fail("body", times=None, path="/bucket", text=text)
    with pytest.raises(SourceMalformed, match="document type"):
        series(market)


def test_a_list_that_cannot_be_had_is_an_error(market: Market) -> None:
    market.archive.fail("server_error", times=None, path="/bucket")
    with pytest.raises(SourceError):
        series(market)


def test_without_the_list_a_month_is_read_as_far_as_it_goes(market: Market) -> None:
    market.archive.spoil("BTCUSDT-1h-2024-11.zip", "week")
    market.archive.fail("server_error", times=None, path="/bucket")
    found = market.fetch()
    assert [kind for kind, _, _ in verdicts(found)] == ["monthly", "rest"]
    assert (found.rows.height, found.done) == (720, False)


def test_the_list_of_a_series_is_asked_for_once(market: Market) -> None:
    with opened(market.exchange, market.archive) as history:
        for month in (Month(2017, 5), Month(2017, 6)):
            assert history.fetch(("BTCUSDT", "1h"), month).rows.is_empty()
    monthly = [one for one in market.archive.requested(path="/bucket") if "monthly" in one["prefix"]]
    assert len(monthly) == 1
