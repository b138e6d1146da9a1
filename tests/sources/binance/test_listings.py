"""Listings: what the exchange says of its pairs becomes a row when it is new, and candles at the ends are asked for."""

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.listings import client
from datahub_assets.datasets.listings.client import fetch_listings
from datahub_assets.datasets.listings.rows import check_pairs
from datahub_assets.datasets.listings.settings import ListingSettings
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceRateLimited, SourceUnavailable
from datahub_assets.domain.rows import frame_of, merge
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from tests.fakes import Clock, FakeBinance
from tests.fakes.candles import FIRST_MS
from tests.sources.conftest import LOG, NOW_MS, SettingsOf

MINUTE_MS = 60_000
GONE_MS = 1_650_000_000_000


class Looks:
    """One look after the other, each knowing what those before it stored."""

    def __init__(self, fetch: Callable[..., Fetched]) -> None:
        self._fetch = fetch
        self.stored = frame_of(LISTINGS, [])
        self.last_asked = ""

    def look(self) -> pl.DataFrame:
        self.fetched = self._fetch(stored=self.stored, last_asked=self.last_asked)
        self.last_asked = str(self.fetched.notes[client.LAST_ASKED])
        self.stored = merge(LISTINGS, [self.stored, self.fetched.checked.frame])
        return self.fetched.checked.frame

    def rows(self, symbol: str) -> list[dict[str, Any]]:
        times = pl.col("changed_at", "first_candle", "last_candle").dt.epoch("ms")
        return self.stored.filter(symbol=symbol).with_columns(times).rows(named=True)


@pytest.fixture
def looks(settings_of: SettingsOf, clock: Clock, backoff: Backoff) -> Looks:
    settings = settings_of().of(ListingSettings)
    return Looks(partial(fetch_listings, settings, clock=clock.now_ms, log=LOG, backoff=backoff))


def test_each_pair_has_a_row_of_when_it_was_first_seen(looks: Looks, binance: FakeBinance) -> None:
    frame = looks.look()
    assert set(frame["symbol"]) == set(binance.listings)
    (row,) = looks.rows("BTCUSDT")
    assert {name: row[name] for name in ("status", "listed", "base", "quote", "tick_size", "step_size")} == {
        "status": "TRADING", "listed": True, "base": "BTC", "quote": "USDT", "tick_size": 0.01, "step_size": 0.00001,
    }  # fmt: skip
    assert (row["min_notional"], row["changed_at"], row["provider"]) == (5.0, NOW_MS, "binance")


def test_what_is_said_again_makes_no_row(looks: Looks, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_QUESTIONS", 100)
    looks.look()
    clock.advance(5 * MINUTE_MS)
    assert looks.look().is_empty()


@pytest.mark.parametrize(
    ("rule", "said", "column"),
    [
        ("PRICE_FILTER", "tickSize", "tick_size"),
        ("LOT_SIZE", "stepSize", "step_size"),
        ("NOTIONAL", "minNotional", "min_notional"),
    ],
)
def test_a_change_makes_a_row_and_the_row_before_stays(
    looks: Looks, binance: FakeBinance, *, rule: str, said: str, column: str
) -> None:
    looks.look()
    binance.set_rule("BTCUSDT", rule, **{said: "7.50000000"})
    binance.clock.advance(5 * MINUTE_MS)
    looks.look()
    before, after = looks.rows("BTCUSDT")
    assert (before["changed_at"], after["changed_at"]) == (NOW_MS, NOW_MS + 5 * MINUTE_MS)
    assert after[column] == 7.5 != before[column]
    assert after["first_candle"] == before["first_candle"]


def test_the_first_candle_is_told_once_it_was_asked_for_in_the_same_row(
    looks: Looks, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_QUESTIONS", 2)
    assert looks.look()["first_candle"].count() == 2
    clock.advance(5 * MINUTE_MS)
    assert looks.look().height == 2, "no other rows change"
    assert looks.stored["first_candle"].count() == 4
    assert looks.stored["changed_at"].n_unique() == 1, "what was unknown is filled in where it was"
    assert set(looks.stored["first_candle"].drop_nulls().dt.epoch("ms")) == {FIRST_MS}


def test_of_a_pair_that_stops_the_last_candle_is_told(
    looks: Looks, binance: FakeBinance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_QUESTIONS", 100)
    looks.look()
    assert looks.rows("GONEUSDT")[0]["last_candle"] == GONE_MS - GONE_MS % MINUTE_MS
    assert looks.rows("ETHUSDT")[0]["last_candle"] is None, "it is traded"
    binance.delist("ETHUSDT", at_ms=NOW_MS)
    clock.advance(5 * MINUTE_MS)
    looks.look()
    assert [(row["status"], row["last_candle"]) for row in looks.rows("ETHUSDT")] == [
        ("TRADING", None), ("BREAK", NOW_MS - NOW_MS % MINUTE_MS),
    ]  # fmt: skip


def test_a_pair_that_is_gone_stays_what_it_was_said_to_be(
    looks: Looks, binance: FakeBinance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_QUESTIONS", 100)
    looks.look()
    listing = binance.listings["ETHUSDT"]
    listing.last_ms = NOW_MS
    binance.forget_pair("ETHUSDT")
    clock.advance(5 * MINUTE_MS)
    assert looks.look()["symbol"].to_list() == ["ETHUSDT"]
    before, after = looks.rows("ETHUSDT")
    assert (before["listed"], after["listed"], after["status"]) == (True, False, "TRADING")
    assert after["last_candle"] == NOW_MS - NOW_MS % MINUTE_MS
    clock.advance(5 * MINUTE_MS)
    assert looks.look().is_empty(), "it is gone once"
    binance.listings["ETHUSDT"] = listing
    looks.look()
    assert looks.rows("ETHUSDT")[-1]["listed"]


def test_a_list_that_lacks_many_pairs_at_once_is_not_believed(looks: Looks, binance: FakeBinance, clock: Clock) -> None:
    looks.look()
    for symbol in list(binance.listings)[:25]:
        binance.forget_pair(symbol)
    clock.advance(5 * MINUTE_MS)
    assert looks.look()["listed"].all()
    assert "lacks 25 that it had: that is not believed" in str(looks.fetched.failed["list",])


def test_a_pair_that_cannot_be_used_is_set_aside_and_not_called_gone(
    looks: Looks, binance: FakeBinance, clock: Clock
) -> None:
    looks.look()
    binance.set_rule("BTCUSDT", "PRICE_FILTER", tickSize="dear")
    clock.advance(5 * MINUTE_MS)
    assert "BTCUSDT" not in looks.look()["symbol"].to_list()
    (rejected,) = looks.fetched.checked.rejected
    assert (rejected.subject, rejected.reason) == ("BTCUSDT", "tickSize is not a decimal number: 'dear'")


def test_a_pair_without_candles_does_not_keep_others_from_being_asked(
    looks: Looks, binance: FakeBinance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_QUESTIONS", 1)
    first = min(binance.listings)
    for listing in (binance.listings[first],):
        listing.replays["1m"] = []
    looks.look()
    looks.look()
    assert looks.rows(first)[0]["first_candle"] is None
    assert looks.stored["first_candle"].count() == 1


def test_candles_wait_while_others_need_the_weight(looks: Looks, binance: FakeBinance) -> None:
    binance.set_weight_limit(limit=6000)
    binance._weight, binance._weight_minute = 3500, NOW_MS // MINUTE_MS
    looks.look()
    assert looks.stored["first_candle"].count() == 0
    assert binance.requested(path="klines") == []


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("server_error", {}, SourceUnavailable),
        ("html", {}, SourceMalformed),
        ("cut_json", {}, SourceMalformed),
        ("body", {"text": '{"symbols": []}'}, SourceMalformed),
        ("body", {"text": "[1]"}, SourceMalformed),
        ("rate_limited", {"retry_after_s": 300}, SourceRateLimited),
    ],
)
def test_without_a_list_nothing_is_told(
    looks: Looks, binance: FakeBinance, kind: str, details: dict[str, Any], error: type[SourceError]
) -> None:
    binance.fail(kind, times=None, path="exchangeInfo", **details)
    with pytest.raises(error):
        looks.look()


def test_when_candles_fail_the_list_is_kept(looks: Looks, binance: FakeBinance) -> None:
    binance.fail("server_error", times=None, path="klines")
    assert looks.look().height == len(binance.listings)
    assert len(looks.fetched.failed) == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "item is not an object but a int"),
        ({"symbol": "AB", "baseAsset": "A", "quoteAsset": "B"}, "status is missing: None"),
        ({"symbol": "AB", "status": "TRADING", "baseAsset": "A"}, "quoteAsset is missing: None"),
        ({"symbol": "AB", "status": "TRADING", "filters": {}}, "filters is not a list of objects: {}"),
    ],
)
def test_what_is_no_pair_is_rejected(item: object, reason: str) -> None:
    (rejected,) = check_pairs([item], now_ms=NOW_MS).rejected
    assert rejected.reason == reason


def test_rules_a_pair_does_not_have_are_null() -> None:
    item = {"symbol": "AB", "status": "TRADING", "baseAsset": "A", "quoteAsset": "B", "filters": []}
    (row,) = check_pairs([item], now_ms=NOW_MS).frame.rows(named=True)
    assert (row["tick_size"], row["step_size"], row["min_notional"]) == (None, None, None)
