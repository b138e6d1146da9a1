"""CoinGecko's endpoints of single coins, of lists and of prices over time: what they tell is what the rows say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import COINS, DAY_MS, HOUR_MS, NOW_MS, Workers, prices

GECKO = "/coingecko/api/v3"
MINUTE_MS = 60_000
STEP_MS = 7 * MINUTE_MS
TIMES = [
    *(NOW_MS - days * DAY_MS for days in range(120, 3, -9)),
    *(NOW_MS - 3 * DAY_MS + n * STEP_MS for n in range(3 * DAY_MS // STEP_MS)),
]
"""When bitcoin's price is told: some days long ago, and the last three days every seven minutes."""
COIN = ("bitcoin", "BTC", 1.8e12)


def factor(at_ms: int) -> float:
    return 1 + (at_ms // 1000 % 977) / 1e4


def row(at_ms: int) -> pl.DataFrame:
    return prices(at_ms=at_ms, coins=(COIN,), factor=factor(at_ms))


TOLD = [(int(one["timestamp"].timestamp() * 1000), one) for at in TIMES for one in row(at).iter_rows(named=True)]
NEWEST = (NOW_MS - 1000, prices().row(0, named=True))
ALL = [*TOLD, NEWEST]


@pytest.fixture(scope="module")
def client(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    workers.publish(MARKET, pl.concat([*map(row, TIMES)]))
    gone = prices(at_ms=NOW_MS - 2 * DAY_MS, coins=(("gone", "GONE", 1e9), ("_", "ı", 2e9)))
    told = pl.lit(datetime(2024, 3, 14, 7, 10, 36, 635000, tzinfo=UTC)).cast(gone["ath_date"].dtype)
    workers.publish(MARKET, gone.with_columns(told.alias("ath_date")))
    more = (*COINS, ("dotless", "ı", 5e5), ("-3", "STRASSE", 4e5))
    workers.publish(MARKET, prices(coins=more))
    with serving(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


def get(client: Client, path: str, **params: str) -> Any:
    answer = client.get(f"{GECKO}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_has_the_coins_of_the_last_day(client: Client) -> None:
    plain = get(client, "coins/list")
    assert [coin["id"] for coin in plain] == ["-3", "batcat", "bitcoin", "dotless", "ethereum", "tether"]
    assert plain[2] == {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin"}
    assert plain[3]["symbol"] == "ı"
    assert get(client, "coins/list", include_platform="true") == [coin | {"platforms": {}} for coin in plain]
    assert get(client, "coins/list", status="active") == plain
    assert get(client, "coins/list", status="inactive") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bitcoin", ["bitcoin"]),
        ("BITCOIN", ["bitcoin"]),
        ("btc", ["bitcoin", "batcat"]),
        ("Ether", ["ethereum", "tether"]),
        ("ı", ["dotless"]),
        ("I", ["bitcoin"]),
        ("-3", ["-3"]),
        ("gone", []),
    ],
)
def test_search_looks_for_a_part_of_ids_tickers_and_names(client: Client, text: str, expected: list[str]) -> None:
    found = get(client, "search", query=text)
    assert [coin["id"] for coin in found["coins"]] == expected
    assert {name: value for name, value in found.items() if name != "coins"} == {
        name: [] for name in ("exchanges", "icos", "categories", "nfts")
    }


def test_what_is_found_has_its_fields(client: Client) -> None:
    assert get(client, "search", query="tether")["coins"] == [
        {"id": "tether", "name": "Tether", "api_symbol": "tether", "symbol": "USDT", "market_cap_rank": 3}
        | {"thumb": None, "large": None}
    ]


def test_a_coin_is_its_newest_row(client: Client) -> None:
    coin, told = get(client, "coins/bitcoin"), NEWEST[1]
    named = ("id", "symbol", "name", "market_cap_rank", "last_updated", "platforms", "tickers", "localization")
    assert {name: coin[name] for name in named} == {
        "id": "bitcoin",
        "symbol": "btc",
        "name": "Bitcoin",
        "market_cap_rank": 1,
        "last_updated": "2026-11-22T11:59:59.000Z",
        "platforms": {},
        "tickers": [],
        "localization": {"en": "Bitcoin"},
    }
    data = coin["market_data"]
    in_usd = {name: value["usd"] for name, value in data.items() if isinstance(value, dict)}
    plain = {name: value for name, value in data.items() if not isinstance(value, dict)}
    assert {name: value for name, value in in_usd.items() if value is not None} == {
        "current_price": told["price"],
        "market_cap": told["market_cap"],
        "total_volume": told["volume_24h"],
        "high_24h": told["high_24h"],
        "low_24h": told["low_24h"],
        "price_change_percentage_24h_in_currency": -1.5,
    }
    assert {name: value for name, value in plain.items() if value is not None} == {
        "market_cap_rank": 1,
        "price_change_percentage_24h": -1.5,
        "last_updated": "2026-11-22T11:59:59.000Z",
    }
    assert {"ath", "atl", "ath_date", "ath_change_percentage"} <= set(in_usd)
    assert {"roi", "max_supply", "circulating_supply", "price_change_24h"} <= set(plain)
    assert set(coin["community_data"].values()) == set(coin["developer_data"].values()) == {None}
    assert {name for name in ("links", "categories", "genesis_date") if coin[name] is None} == {
        "links",
        "categories",
        "genesis_date",
    }


def test_parts_are_left_out_and_added(client: Client) -> None:
    whole = get(client, "coins/bitcoin")
    parts = ("localization", "tickers", "market_data", "community_data", "developer_data")
    for part in parts:
        assert set(whole) - set(get(client, "coins/bitcoin", **{part: "false"})) == {part}
        assert get(client, "coins/bitcoin", **{part: "true"}) == whole
    assert set(whole) - set(get(client, "coins/bitcoin", **dict.fromkeys(parts, "false"))) == set(parts)
    assert "sparkline_7d" not in whole["market_data"]
    assert get(client, "coins/bitcoin", sparkline="true")["market_data"]["sparkline_7d"] is None
    assert get(client, "coins/bitcoin", include_categories_details="true")["categories_details"] is None


@pytest.mark.parametrize(("coin_id", "symbol"), [("gone", "gone"), ("_", "ı"), ("-3", "strasse")])
def test_a_coin_is_told_of_however_old_its_row_and_whatever_its_id(client: Client, coin_id: str, symbol: str) -> None:
    coin = get(client, f"coins/{coin_id}")
    assert (coin["id"], coin["symbol"]) == (coin_id, symbol)
    if coin_id == "gone":
        assert coin["market_data"]["ath_date"]["usd"] == "2024-03-14T07:10:36.635Z"
        assert coin["last_updated"] == "2026-11-20T11:59:59.000Z"


@pytest.mark.parametrize("path", ["", "/market_chart?vs_currency=usd&days=1", "/ohlc?vs_currency=usd&days=1"])
@pytest.mark.parametrize("coin_id", ["unheard-of", "Bitcoin", "BTC", "名"])
def test_an_unknown_coin_is_said_to_be_unknown(client: Client, path: str, coin_id: str) -> None:
    answer = client.get(f"{GECKO}/coins/{coin_id}{path}")
    assert (answer.status_code, answer.json()) == (404, {"error": "coin not found"})


@pytest.mark.parametrize(
    ("params", "days", "step_ms"),
    [
        ({"days": "1"}, 1, 5 * MINUTE_MS),
        ({"days": "2"}, 2, HOUR_MS),
        ({"days": "90"}, 90, HOUR_MS),
        ({"days": "91"}, 91, DAY_MS),
        ({"days": "max"}, None, DAY_MS),
        ({"days": "99999999"}, None, DAY_MS),
        ({"days": "1", "interval": "hourly"}, 1, HOUR_MS),
        ({"days": "max", "interval": "5m"}, None, 5 * MINUTE_MS),
        ({"days": "3", "interval": "daily"}, 3, DAY_MS),
    ],
)
def test_a_chart_has_the_first_row_of_each_step_and_the_newest(
    client: Client, params: dict[str, str], days: int | None, step_ms: int
) -> None:
    chart = get(client, "coins/bitcoin/market_chart", vs_currency="usd", **params)
    steps: dict[int, tuple[int, Any]] = {}
    for at_ms, one in ALL:
        if days is None or at_ms >= NEWEST[0] - days * DAY_MS:
            steps.setdefault(at_ms // step_ms, (at_ms, one))
    points = list(steps.values())
    points += [NEWEST] if points[-1] != NEWEST else []
    fields = (("prices", "price"), ("market_caps", "market_cap"), ("total_volumes", "volume_24h"))
    assert chart == {field: [[at_ms, one[column]] for at_ms, one in points] for field, column in fields}


@pytest.mark.parametrize(
    ("days", "step_ms"),
    [
        ("1", HOUR_MS // 2),
        ("7", 4 * HOUR_MS),
        ("30", 4 * HOUR_MS),
        ("90", 4 * DAY_MS),
        ("180", 4 * DAY_MS),
        ("max", 4 * DAY_MS),
    ],
)
def test_candles_are_made_of_the_rows_of_each_step(client: Client, days: str, step_ms: int) -> None:
    found = get(client, "coins/bitcoin/ohlc", vs_currency="usd", days=days)
    end_ms = (NEWEST[0] // step_ms + 1) * step_ms
    start_ms = 0 if days == "max" else end_ms - int(days) * DAY_MS
    steps: dict[int, list[float]] = {}
    for at_ms, one in ALL:
        opened = at_ms // step_ms * step_ms
        if opened >= start_ms:
            steps.setdefault(opened + step_ms, []).append(one["price"])
    assert found == [[closed, told[0], max(told), min(told), told[-1]] for closed, told in steps.items()]
    assert len(found) > 1


def test_precision_rounds_prices(client: Client) -> None:
    fine = get(client, "coins/bitcoin/ohlc", vs_currency="usd", days="1", precision="full")
    coarse = get(client, "coins/bitcoin/ohlc", vs_currency="usd", days="1", precision="0")
    assert coarse == [[closed, *map(round, told)] for closed, *told in fine] != fine
    chart = get(client, "coins/bitcoin/market_chart", vs_currency="usd", days="1", precision="0")
    assert {price for _, price in chart["prices"]} == {round(price) for _, price in chart["prices"]}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("coins/bitcoin/market_chart?days=1", "Missing parameter vs_currency"),
        ("coins/bitcoin/market_chart?vs_currency=eur&days=1", "invalid vs_currency"),
        ("coins/bitcoin/market_chart?vs_currency=usd", "Missing parameter days"),
        ("coins/bitcoin/market_chart?vs_currency=usd&days=0", "Invalid days"),
        ("coins/bitcoin/market_chart?vs_currency=usd&days=-1", "Invalid days"),
        ("coins/bitcoin/market_chart?vs_currency=usd&days=1.5", "Invalid days"),
        ("coins/bitcoin/market_chart?vs_currency=usd&days=1&interval=weekly", "Invalid interval"),
        ("coins/bitcoin/market_chart?vs_currency=usd&days=1&precision=x", "Invalid precision"),
        ("coins/bitcoin/ohlc?days=1", "Missing parameter vs_currency"),
        ("coins/bitcoin/ohlc?vs_currency=eur&days=1", "invalid vs_currency"),
        ("coins/bitcoin/ohlc?vs_currency=usd", "Missing parameter days"),
        ("coins/bitcoin/ohlc?vs_currency=usd&days=2", "Invalid days"),
        ("coins/bitcoin/ohlc?vs_currency=usd&days=1&precision=19", "Invalid precision"),
        ("coins/list?status=asleep", "Invalid status"),
        ("search", "Missing parameter query"),
        ("search?query=%20", "Missing parameter query"),
    ],
)
def test_refusals_have_its_shape(client: Client, path: str, says: str) -> None:
    answer = client.get(f"{GECKO}/{path}")
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(says)


@pytest.mark.parametrize(
    "path",
    [
        "coins/list?unheard_of=1",
        "search?query=btc&locale=de",
        "coins/bitcoin?dex_pair_format=symbol",
        "coins/bitcoin/",
        "coins/bitcoin/market_chart?vs_currency=usd&days=1",
        "coins/bitcoin/ohlc?vs_currency=USD&days=1",
    ],
)
def test_any_commit_can_be_asked_and_a_held_answer_is_304(client: Client, path: str) -> None:
    url = f"{GECKO}/{path}"
    first = client.get(url)
    assert first.status_code == 200
    assert client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    joined = f"{url}{'&' if '?' in url else '?'}"
    pinned = client.get(f"{joined}revision={first.headers['x-revision']}")
    assert pinned.json() == first.json()
    assert "immutable" in pinned.headers["cache-control"]
    assert client.get(f"{joined}revision={'0' * 40}").status_code == 404
