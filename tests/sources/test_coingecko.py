"""Fetching prices, against a fake CoinGecko over HTTP."""

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.market.client import fetch_prices, key_header
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from tests.fakes import Clock, FakeCoinGecko
from tests.sources.conftest import LOG, NOW_MS, SettingsOf, VirtualSleep

Fetch = Callable[..., Fetched]


@pytest.fixture
def fetch(settings_of: SettingsOf, clock: Clock, backoff: Backoff) -> Fetch:
    def fetch(*, not_before_ms: int = 0, **variables: str) -> Fetched:
        ask = partial(fetch_prices, clock=clock.now_ms, log=LOG, backoff=backoff, not_before_ms=not_before_ms)
        return ask(settings_of(**variables).of(MarketSettings))

    return fetch


def upstream_prices(coingecko: FakeCoinGecko) -> dict[str, float]:
    return {item["id"]: item["current_price"] for item in coingecko.reference()}


def prices(fetched: Fetched) -> dict[str, float]:
    return dict(fetched.checked.frame.select("coin_id", "price").iter_rows())


@pytest.mark.parametrize(
    ("coins", "fetched_coins", "requests"),
    [("1", 1, 1), ("250", 250, 1), ("251", 251, 2), ("300", 300, 2), ("500", 300, 3), ("5000", 300, 3)],
)
def test_the_top_coins_come_in_pages_of_250(
    fetch: Fetch, coingecko: FakeCoinGecko, coins: str, fetched_coins: int, requests: int
) -> None:
    fetched = fetch(COINS=coins)
    expected = list(upstream_prices(coingecko).items())[:fetched_coins]
    assert prices(fetched) == dict(expected)
    assert fetched.requests == requests == len(coingecko.requests)
    assert fetched.checked.rejected == ()
    assert fetched.failed == {}
    assert fetched.pause_until_ms is None


def test_coins_can_be_named(fetch: Fetch, coingecko: FakeCoinGecko, caplog: pytest.LogCaptureFixture) -> None:
    fetched = fetch(COINS="ethereum,usdp,nothing-like-it")
    assert prices(fetched).keys() == {"ethereum", "usdp"}
    assert "CoinGecko has no coin with the id nothing-like-it" in caplog.text


def test_a_long_list_of_coins_is_asked_in_pages(fetch: Fetch, coingecko: FakeCoinGecko) -> None:
    ids = list(coingecko.coins)[:260]
    fetched = fetch(COINS=",".join(ids))
    assert prices(fetched).keys() == set(ids)
    assert [len(query["ids"].split(",")) for query in coingecko.requested()] == [250, 10]


def test_what_upstream_says_is_what_the_rows_say(fetch: Fetch, coingecko: FakeCoinGecko) -> None:
    fetched = fetch(COINS="300")
    upstream = {item["id"]: item for item in coingecko.reference()}
    for row in fetched.checked.frame.iter_rows(named=True):
        item = upstream[row["coin_id"]]
        assert row["symbol"] == item["symbol"].upper()
        assert row["timestamp"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == item["last_updated"]
        assert (row["volume_24h"], row["change_24h"], row["high_24h"]) == (
            item["total_volume"],
            item["price_change_percentage_24h"],
            item["high_24h"],
        )
    symbols = fetched.checked.frame.filter(pl.col("symbol") == "USDP")
    assert symbols.height == 2  # two coins share it: ids tell them apart


def test_a_coin_whose_numbers_did_not_move_keeps_its_key(fetch: Fetch, coingecko: FakeCoinGecko, clock: Clock) -> None:
    coingecko.hold()
    before = fetch().checked.frame
    clock.advance(60_000)
    after = fetch().checked.frame
    assert before.drop("ingested_at").equals(after.drop("ingested_at"))
    assert set(after["ingested_at"].dt.epoch("ms")) == {NOW_MS + 60_000}


def test_bad_rows_are_set_aside_and_good_ones_go_on(
    fetch: Fetch, coingecko: FakeCoinGecko, caplog: pytest.LogCaptureFixture
) -> None:
    coingecko.set_coin("bitcoin", current_price=math.nan)
    coingecko.set_coin("ethereum", last_updated=None)
    coingecko.set_coin("tether", current_price=None, price_change_percentage_24h=None)
    coingecko.set_coin("solana", current_price=2.67e-05, high_24h=1)
    coingecko.set_coin("half-a-coin", symbol="half")
    fetched = fetch(COINS="5000")
    assert {row.subject: row.reason for row in fetched.checked.rejected} == {
        "bitcoin": "current_price is not finite: nan",
        "ethereum": "last_updated is missing: None",
        "half-a-coin": "last_updated is missing: None",
    }
    assert len(prices(fetched)) == 298
    assert prices(fetched)["tether"] is None
    assert prices(fetched)["solana"] == 2.67e-05
    assert "set aside a row of bitcoin: current_price is not finite: nan" in caplog.text


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("server_error", {"status": 503}),
        ("internal_error", {}),
        ("truncated", {}),
        ("cut_json", {}),
        ("html", {}),
        ("dropped", {}),
        ("rate_limited", {"retry_after_s": 7}),
        ("rate_limited", {"retry_after_s": None}),
        ("body", {"text": "[1, 2"}),
        ("body", {"text": '{"status": {"error_code": 429, "error_message": "slow down"}}'}),
        ("body", {"text": "{}"}),
        ("body", {"text": "null"}),
        ("body", {"text": ""}),
    ],
)
def test_a_passing_failure_is_tried_again(
    fetch: Fetch, coingecko: FakeCoinGecko, sleep: VirtualSleep, kind: str, details: dict[str, Any]
) -> None:
    coingecko.fail(kind, times=2, **details)
    assert len(prices(fetch())) == 250
    assert len(coingecko.requests) == 3
    asked_s = details.get("retry_after_s") or 0
    assert sleep.waits == [0.5 + asked_s, 1.0 + asked_s]


@pytest.mark.parametrize(
    ("kind", "details", "error", "message", "requests"),
    [
        ("server_error", {"status": 502}, SourceUnavailable, "answered 502: upstream error", 3),
        ("internal_error", {}, SourceUnavailable, "answered 500", 3),
        ("dropped", {}, SourceUnavailable, "closed the connection without an answer", 3),
        ("truncated", {}, SourceMalformed, "broke off its answer", 3),
        ("cut_json", {}, SourceMalformed, r"no valid JSON: \[\{", 3),
        ("html", {}, SourceMalformed, "answered HTML: <!DOCTYPE", 3),
        ("html", {"status": 404}, SourceMalformed, "answered 404", 3),
        ("body", {"text": '{"coins": []}'}, SourceMalformed, "no list of coins", 3),
        ("body", {"text": "[" * 100_000}, SourceMalformed, "no valid JSON", 3),
        ("body", {"text": "[]"}, SourceMalformed, "empty list", 1),
        ("body", {"text": "", "status": 302}, SourceMalformed, "answered 302", 3),
        ("firewall", {}, SourceBlocked, "answered 403", 1),
        ("region_blocked", {}, SourceBlocked, "answered 451", 1),
        ("not_found", {}, SourceRejected, "Could not find coin", 1),
        ("body", {"text": '{"error": "bad key"}', "status": 401}, SourceRejected, "bad key", 1),
        ("rate_limited", {"retry_after_s": 119}, SourceRateLimited, "exceeded the Rate Limit", 1),
        ("rate_limited", {"retry_after_s": 3}, SourceRateLimited, "exceeded the Rate Limit", 3),
    ],
)
def test_a_lasting_failure_is_a_typed_error(
    *,
    fetch: Fetch,
    coingecko: FakeCoinGecko,
    kind: str,
    details: dict[str, Any],
    error: type[SourceError],
    message: str,
    requests: int,
) -> None:
    coingecko.fail(kind, times=None, **details)
    with pytest.raises(error, match=message):
        fetch()
    assert len(coingecko.requests) == requests


def test_a_refused_connection_is_unavailable(fetch: Fetch, coingecko: FakeCoinGecko) -> None:
    coingecko.stop()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        fetch()
    coingecko.start()
    assert len(prices(fetch())) == 250


@pytest.mark.parametrize("retry_after", ["119", "Sat, 22 Nov 2025 08:28:54 GMT"])
def test_a_long_pause_is_kept_by_this_process_and_told(
    fetch: Fetch, coingecko: FakeCoinGecko, clock: Clock, sleep: VirtualSleep, retry_after: str
) -> None:
    coingecko.fail("body", text="{}", status=429, headers={"Retry-After": retry_after})
    with pytest.raises(SourceRateLimited) as caught:
        fetch()
    assert caught.value.retry_after_s == 119
    clock.advance(118_000)
    with pytest.raises(SourceRateLimited, match="not asked before"):
        fetch()
    assert len(coingecko.requests) == 1
    clock.advance(1_000)
    assert len(prices(fetch())) == 250
    assert sleep.waits == []


def test_a_pause_of_an_earlier_process_is_kept(fetch: Fetch, coingecko: FakeCoinGecko, clock: Clock) -> None:
    with pytest.raises(SourceRateLimited, match="until 2025-11-22 08:27:55 UTC") as caught:
        fetch(not_before_ms=NOW_MS + 60_000)
    assert caught.value.retry_after_s == 60
    assert coingecko.requests == []


def test_a_later_page_that_fails_does_not_cost_the_earlier_ones(
    fetch: Fetch, coingecko: FakeCoinGecko, caplog: pytest.LogCaptureFixture
) -> None:
    coingecko.fail("rate_limited", where={"page": "2"}, retry_after_s=90)
    fetched = fetch(COINS="750")
    assert len(prices(fetched)) == 250
    assert len(coingecko.requests) == 2
    assert {key: type(error) for key, error in fetched.failed.items()} == {("page", "2"): SourceRateLimited}
    assert fetched.pause_until_ms == NOW_MS + 90_000
    assert "CoinGecko's pages from 2 on are missing" in caplog.text


@pytest.mark.parametrize("key", [None, "CG-secret-key"])
def test_the_key_goes_into_its_header_and_nowhere_else(
    fetch: Fetch, coingecko: FakeCoinGecko, caplog: pytest.LogCaptureFixture, key: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    coingecko.fail("dropped")
    fetch(**({} if key is None else {"COINGECKO_API_KEY": key}))
    request = coingecko.requests[-1]
    assert request.headers.get("x-cg-demo-api-key") == key
    assert "x-cg-pro-api-key" not in request.headers
    assert request.headers["user-agent"].startswith("crypto-data-hub/")
    assert "secret" not in str(request.params)
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("base_url", "headers"),
    [
        ("https://api.coingecko.com/api/v3", {"x-cg-demo-api-key": "k"}),
        ("https://pro-api.coingecko.com/api/v3", {"x-cg-pro-api-key": "k"}),
    ],
)
def test_the_host_decides_which_kind_of_key_it_is(base_url: str, headers: dict[str, str]) -> None:
    assert key_header(base_url, "k") == headers
    assert key_header(base_url, None) == {}


def test_the_log_tells_what_was_fetched(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fetch()
    assert "fetched 250 coins from CoinGecko in 0." in caplog.text
