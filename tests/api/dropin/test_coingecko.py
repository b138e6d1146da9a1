"""The CoinGecko endpoints: its parameters, its fields, its refusals."""

from pathlib import Path
from typing import Any

import pytest

from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import DAY_MS, NOW_MS, Workers, prices

MARKETS = "/coingecko/api/v3/coins/markets"
PRICE = "/coingecko/api/v3/simple/price"
PUBLISHED = {row["coin_id"]: row for row in prices().iter_rows(named=True)}
LARGEST_FIRST = ["bitcoin", "ethereum", "tether", "batcat"]
OFFICIAL = (
    *("id", "symbol", "name", "image", "current_price", "market_cap", "market_cap_rank", "fully_diluted_valuation"),
    *("total_volume", "high_24h", "low_24h", "price_change_24h", "price_change_percentage_24h"),
    *("market_cap_change_24h", "market_cap_change_percentage_24h", "circulating_supply", "total_supply", "max_supply"),
    *("ath", "ath_change_percentage", "ath_date", "atl", "atl_change_percentage", "atl_date", "roi", "last_updated"),
)


def markets(client: Client, **params: Any) -> Any:
    return client.get(MARKETS, params={"vs_currency": "usd", **params})


def test_every_field_is_there(client: Client) -> None:
    answer = markets(client)
    assert [tuple(coin) for coin in answer.json()] == [OFFICIAL] * 4
    coin = answer.json()[0]
    row = PUBLISHED["bitcoin"]
    assert {name: coin[name] for name in OFFICIAL if coin[name] is not None} == {
        "id": "bitcoin",
        "symbol": "btc",
        "name": "Bitcoin",
        "current_price": row["price"],
        "market_cap": row["market_cap"],
        "market_cap_rank": 1,
        "total_volume": row["volume_24h"],
        "high_24h": row["high_24h"],
        "low_24h": row["low_24h"],
        "price_change_percentage_24h": -1.5,
        "last_updated": "2026-11-22T11:59:59.000Z",
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, LARGEST_FIRST),
        ({"vs_currency": "USD"}, LARGEST_FIRST),
        ({"order": "market_cap_asc"}, LARGEST_FIRST[::-1]),
        ({"order": "volume_desc"}, LARGEST_FIRST),
        ({"order": "id_asc"}, sorted(LARGEST_FIRST)),
        ({"order": "id_desc"}, sorted(LARGEST_FIRST, reverse=True)),
        ({"per_page": 2}, LARGEST_FIRST[:2]),
        ({"per_page": 2, "page": 2}, LARGEST_FIRST[2:]),
        ({"page": 2}, []),
        ({"page": 999_999_999}, []),
        ({"per_page": 251}, LARGEST_FIRST),
        ({"ids": "tether,bitcoin,unheard-of"}, ["bitcoin", "tether"]),
        ({"ids": "unheard-of"}, []),
        ({"names": "Ethereum"}, ["ethereum"]),
        ({"symbols": "btc,eth"}, ["bitcoin", "ethereum"]),
        ({"symbols": "btc", "include_tokens": "all"}, ["bitcoin", "batcat"]),
        ({"ids": "tether", "names": "Bitcoin", "symbols": "eth"}, ["tether"]),
        ({"unheard_of": "parameters are ignored, as there", "locale": "de"}, LARGEST_FIRST),
    ],
)
def test_coins_are_chosen_as_there(client: Client, params: dict[str, Any], expected: list[str]) -> None:
    assert [coin["id"] for coin in markets(client, **params).json()] == expected


def test_fields_that_were_asked_for_and_are_not_carried_are_null(client: Client) -> None:
    asked = {"sparkline": "true", "price_change_percentage": "1h,24h,7d", "include_rehypothecated": "true"}
    coin = markets(client, **asked).json()[0]
    more = {name: coin[name] for name in coin if name not in OFFICIAL}
    assert more == {
        "price_change_percentage_1h_in_currency": None,
        "price_change_percentage_7d_in_currency": None,
        "price_change_percentage_24h_in_currency": -1.5,
        "sparkline_in_7d": None,
        "market_cap_rank_with_rehypothecated": None,
    }


@pytest.mark.parametrize(
    ("path", "params", "says"),
    [
        (MARKETS, {}, "Missing parameter vs_currency"),
        (MARKETS, {"vs_currency": "eur"}, "invalid vs_currency"),
        (MARKETS, {"vs_currency": "usd", "order": "gecko_desc"}, "Invalid order"),
        (MARKETS, {"vs_currency": "usd", "per_page": "0"}, "Invalid per_page"),
        (MARKETS, {"vs_currency": "usd", "page": "-1"}, "Invalid page"),
        (MARKETS, {"vs_currency": "usd", "page": "x"}, "Invalid page"),
        (MARKETS, {"vs_currency": "usd", "precision": "19"}, "Invalid precision"),
        (MARKETS, {"vs_currency": "usd", "category": "layer-1"}, "category is not carried"),
        (MARKETS, {"vs_currency": "usd", "price_change_percentage": "2h"}, "Invalid price_change_percentage"),
        (MARKETS, {"vs_currency": "usd", "include_tokens": "some"}, "Invalid include_tokens"),
        (PRICE, {"vs_currencies": "usd"}, "Missing parameter ids"),
        (PRICE, {"ids": "bitcoin"}, "Missing parameter vs_currencies"),
    ],
)
def test_refusals_have_its_shape(client: Client, path: str, params: dict[str, str], says: str) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(says)


def test_prices(client: Client) -> None:
    asked = {
        "ids": "bitcoin,unheard-of",
        "vs_currencies": "usd,eur",
        "include_market_cap": "true",
        "include_24hr_vol": "true",
        "include_24hr_change": "true",
        "include_last_updated_at": "true",
    }
    row = PUBLISHED["bitcoin"]
    assert client.get(PRICE, params=asked).json() == {
        "bitcoin": {
            "usd": row["price"],
            "usd_market_cap": row["market_cap"],
            "usd_24h_vol": row["volume_24h"],
            "usd_24h_change": -1.5,
            "eur": None,
            "eur_market_cap": None,
            "eur_24h_vol": None,
            "eur_24h_change": None,
            "last_updated_at": NOW_MS // 1000 - 1,
        }
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"symbols": "BTC"}, {"btc": {"usd": 1.8e6}}),
        ({"names": "Tether"}, {"Tether": {"usd": 1.5e5}}),
        ({"ids": "unheard-of"}, {}),
    ],
)
def test_prices_are_named_as_they_were_asked_for(client: Client, params: dict[str, str], expected: Any) -> None:
    assert client.get(PRICE, params={"vs_currencies": "usd", **params}).json() == expected


def test_precision_rounds_the_price(hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path) -> None:
    workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000, factor=1 / 3))
    with serving(hub, tmp_path) as client:
        assert client.get(PRICE, params={"ids": "batcat", "vs_currencies": "usd", "precision": "2"}).json() == {
            "batcat": {"usd": 0.33}
        }
        assert markets(client, ids="batcat", precision="0").json()[0]["current_price"] == 0.0
        assert markets(client, ids="batcat", precision="full").json()[0]["current_price"] == 1 / 3


def test_coins_that_went_away_are_left_out(hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path) -> None:
    workers.publish(MARKET, prices(at_ms=NOW_MS - 2 * DAY_MS, coins=(("gone", "GONE", 1e9),)))
    with serving(hub, tmp_path) as client:
        assert "gone" not in {coin["id"] for coin in markets(client).json()}


def test_any_commit_can_be_asked_and_a_held_answer_is_304(client: Client) -> None:
    first = markets(client)
    pinned = markets(client, revision=first.headers["x-revision"])
    assert pinned.json() == first.json()
    assert "immutable" in pinned.headers["cache-control"]
    held = client.get(MARKETS, params={"vs_currency": "usd"}, headers={"If-None-Match": first.headers["etag"]})
    assert held.status_code == 304
    unknown = markets(client, revision="0" * 40)
    assert (unknown.status_code, set(unknown.json())) == (404, {"error"})
    assert markets(client, as_of="1990-01-01").status_code == 404
    assert markets(client, as_of="soon").status_code == 400


def test_other_paths_say_what_there_is(client: Client) -> None:
    for path in ("exchanges", "coins/categories/list", "coins/bitcoin/history", "coins/bitcoin/ohlc/range"):
        answer = client.get(f"/coingecko/api/v3/{path}")
        assert answer.status_code == 404
        assert "coins/markets" in answer.json()["error"]
