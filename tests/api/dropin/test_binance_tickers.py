"""Binance's ticker endpoints: what they tell is what the candles say."""

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.domain.times import utc_datetime
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import DAY_MS, HOUR_MS, NOW_MS, Workers, candles, example

PRICE, DAY = "/binance/api/v3/ticker/price", "/binance/api/v3/ticker/24hr"
MICROS = {"X-MBX-TIME-UNIT": "MICROSECOND"}
OLD_MS = NOW_MS - 40 * DAY_MS
UNKNOWN = ("lastQty", "bidPrice", "bidQty", "askPrice", "askQty", "firstId", "lastId")
MINI = (
    *("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime"),
    *("firstId", "lastId", "count"),
)


def closed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.lit(True).alias("closed"))


def stamped(frame: pl.DataFrame, column: str, at_ms: int) -> pl.DataFrame:
    return frame.with_columns(pl.lit(utc_datetime(at_ms)).cast(frame[column].dtype).alias(column))


FINE = candles(("FINEUSDT",), interval="15m", count=4, until_ms=NOW_MS + HOUR_MS // 2)
FINE = stamped(FINE, "ingested_at", NOW_MS + HOUR_MS)
TWO = candles(("TWOUSDT",), interval="2h", count=30)
LONG = candles(("LONGUSDT",), interval="1d", count=3)
YOUNG = candles(("YOUNGUSDT",), count=3)
HOLED = candles(("HOLEDUSDT",), count=40).filter(pl.col("timestamp").dt.epoch("ms") != NOW_MS - DAY_MS)
BARE = candles(("BAREUSDT",), count=40).with_columns(
    pl.when(pl.col("timestamp").dt.epoch("ms") != NOW_MS - HOUR_MS).then(pl.col(name)).alias(name)
    for name in ("volume", "quote_volume", "trade_count")
)
IDLE = candles(("IDLEUSDT",), count=40).with_columns(pl.lit(0.0).alias("volume"), pl.lit(0.0).alias("quote_volume"))
DEAD = closed(candles(("DEADUSDT",), count=40, until_ms=OLD_MS))
QUIET = closed(candles(("QUIETUSDT",), interval="4h", count=40, until_ms=OLD_MS))


@pytest.fixture(scope="module")
def client(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """Pairs that have candles of one kind only, some of them traded no more."""
    for frame in (FINE, TWO, LONG, YOUNG, HOLED, BARE, IDLE, DEAD, QUIET, closed(candles(("ODDPAIR",)))):
        workers.publish(OHLC, frame)
    stale = closed(candles(("FINEUSDT",), count=40, until_ms=OLD_MS))
    workers.publish(OHLC, stale)
    known = pl.concat(
        example(LISTINGS).with_columns(pl.lit(name).alias("symbol"), pl.lit(status).alias("status"))
        for name, status in (("QUIETUSDT", "TRADING"), ("YOUNGUSDT", "HALT"), ("TWOUSDT", "BREAK"))
    )
    workers.publish(LISTINGS, known)
    with serving(hub, tmp_path_factory.mktemp("home"), names=(LISTINGS.name, OHLC.name)) as client:
        yield client


@pytest.fixture(scope="module")
def day(client: Client) -> Any:
    return lambda symbol, **more: client.get(DAY, params={"symbol": symbol, **more}).json()


def text(value: Any) -> str:
    return f"{value:.8f}"


def test_the_price_is_the_close_of_the_newest_candle_of_all(client: Client) -> None:
    hours = candles(("BTCUSDT",)).sort("timestamp")
    assert client.get(PRICE, params={"symbol": "BTCUSDT"}).json() == {
        "symbol": "BTCUSDT",
        "price": text(hours["close"][-1]),
    }
    fine = client.get(PRICE, params={"symbol": "FINEUSDT"}).json()
    assert fine["price"] == text(FINE.sort("timestamp")["close"][-1])


def test_the_finest_of_those_that_opened_at_the_same_time_tells_the_price(
    hub: HubServer, workers: Workers, seeded: Workers, client: Client, tmp_path: Any
) -> None:
    del client
    for interval in ("4h", "15m", "1h"):
        workers.publish(OHLC, candles(("SAMEUSDT",), interval=interval, count=5))
    with serving(hub, tmp_path) as served:
        price = served.get(PRICE, params={"symbol": "SAMEUSDT"}).json()["price"]
    assert price == text(candles(("SAMEUSDT",), interval="15m", count=1)["close"][0])


def test_24_hours_are_the_candles_of_24_hours_put_together(day: Any) -> None:
    rows = candles(("BTCUSDT",)).sort("timestamp")
    before, rows = rows.row(-25, named=True), rows.tail(24)
    told = day("BTCUSDT")
    first, last = rows["open"][0], rows["close"][-1]
    assert {name: value for name, value in told.items() if value is not None} == {
        "symbol": "BTCUSDT",
        "priceChange": text(last - first),
        "priceChangePercent": f"{(last - first) / first * 100:.3f}",
        "weightedAvgPrice": text(math.fsum(rows["quote_volume"]) / math.fsum(rows["volume"])),
        "prevClosePrice": text(before["close"]),
        "lastPrice": text(last),
        "openPrice": text(first),
        "highPrice": text(rows["high"].max()),
        "lowPrice": text(rows["low"].min()),
        "volume": text(math.fsum(rows["volume"])),
        "quoteVolume": text(math.fsum(rows["quote_volume"])),
        "openTime": NOW_MS - 23 * HOUR_MS,
        "closeTime": NOW_MS,
        "count": rows["trade_count"].sum(),
    }
    assert {name for name, value in told.items() if value is None} == set(UNKNOWN)


@pytest.mark.parametrize(
    ("frame", "opened_ms", "count"),
    [
        (TWO, NOW_MS - 22 * HOUR_MS, 12),
        (LONG, NOW_MS - 12 * HOUR_MS, 1),
        (YOUNG, NOW_MS - 2 * HOUR_MS, 3),
        (FINE, NOW_MS - HOUR_MS // 4, 4),
        (DEAD, OLD_MS - 23 * HOUR_MS, 24),
        (QUIET, OLD_MS - 20 * HOUR_MS, 6),
    ],
    ids=["2h", "1d", "young", "15m", "dead", "4h"],
)
def test_a_day_is_told_by_the_candles_a_pair_has(day: Any, frame: pl.DataFrame, opened_ms: int, count: int) -> None:
    rows = frame.sort("timestamp").tail(count)
    told = day(rows["symbol"][0])
    assert told["openTime"] == opened_ms
    assert (told["openPrice"], told["lastPrice"]) == (text(rows["open"][0]), text(rows["close"][-1]))
    assert (told["highPrice"], told["lowPrice"]) == (text(rows["high"].max()), text(rows["low"].min()))
    assert told["count"] == rows["trade_count"].sum()
    newest = rows.row(-1, named=True)
    assert told["closeTime"] == round(min(newest["close_time"], newest["ingested_at"]).timestamp() * 1000) > opened_ms


def test_what_comes_not_right_before_is_no_close_before(day: Any) -> None:
    assert day("YOUNGUSDT")["prevClosePrice"] is None
    assert day("HOLEDUSDT")["prevClosePrice"] is None
    assert day("HOLEDUSDT")["count"] == HOLED.sort("timestamp")["trade_count"].tail(24).sum()


def test_of_a_sum_in_which_a_value_is_missing_nothing_is_told(day: Any) -> None:
    told = day("BAREUSDT")
    sums = ("volume", "quoteVolume", "count", "weightedAvgPrice")
    assert {name for name, value in told.items() if value is None} == {*UNKNOWN, *sums}


def test_where_nothing_was_traded_there_is_no_average(day: Any) -> None:
    told = day("IDLEUSDT")
    assert (told["volume"], told["quoteVolume"], told["weightedAvgPrice"]) == ("0.00000000", "0.00000000", None)


def test_mini_has_less(day: Any) -> None:
    mini, full = day("BTCUSDT", type="MINI"), day("BTCUSDT", type="FULL")
    assert tuple(mini) == MINI
    assert full == day("BTCUSDT")
    assert mini == {name: full[name] for name in MINI}


def test_lists_leave_out_what_is_traded_no_more(client: Client) -> None:
    """By the exchange's word where there is one, as for QUIETUSDT, and else by the candles."""
    listed = {pair["symbol"]: pair["status"] for pair in client.get("/binance/api/v3/exchangeInfo").json()["symbols"]}
    assert (listed["DEADUSDT"], listed["QUIETUSDT"], listed["TWOUSDT"]) == ("BREAK", "TRADING", "BREAK")
    traded = [name for name, status in listed.items() if status != "BREAK"]
    for url in (PRICE, DAY):
        assert [one["symbol"] for one in client.get(url).json()] == traded
        for status in ("TRADING", "HALT", "BREAK"):
            told = client.get(url, params={"symbolStatus": status}).json()
            assert [one["symbol"] for one in told] == [name for name in listed if listed[name] == status] != []


def test_each_pair_in_a_list_is_as_it_is_alone(client: Client) -> None:
    for url in (PRICE, DAY):
        for one in client.get(url).json():
            assert one == client.get(url, params={"symbol": one["symbol"]}).json()


@pytest.mark.parametrize("url", [PRICE, DAY])
def test_pairs_that_are_named_come_whatever_their_status(client: Client, url: str) -> None:
    names = ["TWOUSDT", "BTCUSDT", "ODDPAIR", "DEADUSDT"]
    told = client.get(url, params={"symbols": json.dumps(names)}).json()
    assert [one["symbol"] for one in told] == names
    traded = client.get(url, params={"symbols": json.dumps(names), "symbolStatus": "TRADING"}).json()
    assert [one["symbol"] for one in traded] == ["BTCUSDT"]
    assert isinstance(client.get(url, params={"symbols": '["BTCUSDT"]'}).json(), list)


@pytest.mark.parametrize("url", [PRICE, DAY])
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbols": '["BTCUSDT","NOPEUSDT"]'}, -1121),
        ({"symbol": "btcusdt"}, -1100),
        ({"symbol": ""}, -1100),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbols": '["btcusdt"]'}, -1100),
        ({"symbols": "[]"}, -1130),
        ({"symbol": "BTCUSDT", "symbols": '["ETHUSDT"]'}, -1128),
        ({"symbolStatus": "DEAD"}, -1130),
        ({"symbol": "BTCUSDT", "symbolStatus": "BREAK"}, -1220),
        ({"symbl": "BTCUSDT"}, -1104),
        ({"type": "HUGE"}, None),
    ],
)
def test_refusals_carry_its_codes(client: Client, url: str, params: dict[str, str], code: int | None) -> None:
    answer = client.get(url, params=params)
    expected = code or (-1130 if url == DAY else -1104)
    assert (answer.status_code, answer.json()["code"]) == (400, expected)
    checked = client.get("/api/hub/snippets", params={"path": str(httpx.URL(url, params=params))})
    assert (checked.status_code, checked.json()["code"]) == (400, expected)


def test_times_are_in_the_unit_that_is_asked_for(client: Client) -> None:
    url = f"{DAY}?symbol=BTCUSDT"
    for _ in range(2):
        plain, micros = client.get(url), client.get(url, headers=MICROS)
        times = {"openTime": plain.json()["openTime"] * 1000, "closeTime": plain.json()["closeTime"] * 1000 + 999}
        assert micros.json() == plain.json() | times
        assert plain.headers["etag"] != micros.headers["etag"]
        assert "X-MBX-TIME-UNIT" in micros.headers["vary"]
    assert client.get(url, headers={"X-MBX-TIME-UNIT": "DAY"}).json()["code"] == -1130


@pytest.mark.parametrize("url", [f"{PRICE}?symbol=BTCUSDT", f"{DAY}?symbol=BTCUSDT", PRICE, DAY])
def test_a_held_answer_is_304(client: Client, url: str) -> None:
    first = client.get(url)
    held = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    pinned = client.get(url, params=dict(httpx.URL(url).params) | {"revision": first.headers["x-revision"]})
    assert pinned.json() == first.json()


def test_a_list_follows_the_listings_and_a_commit_of_one_pair_never_changes(
    hub: HubServer, workers: Workers, seeded: Workers, client: Client, tmp_path: Any
) -> None:
    del client
    with serving(hub, tmp_path, names=(LISTINGS.name, OHLC.name)) as served:
        before = served.get(PRICE)
        one = served.get(PRICE, params={"symbol": "BTCUSDT", "revision": before.headers["x-revision"]})
        assert "immutable" in one.headers["cache-control"]
        row = example(LISTINGS).with_columns(pl.lit("YOUNGUSDT").alias("symbol"), pl.lit("BREAK").alias("status"))
        sha = workers.publish(LISTINGS, stamped(row, "changed_at", NOW_MS + DAY_MS))
        until(lambda: served.get("/api/hub/listings").headers["x-revision"] == sha)
        after = served.get(PRICE)
    assert before.headers["x-revision"] == after.headers["x-revision"]
    assert before.headers["etag"] != after.headers["etag"]
    assert {one["symbol"] for one in before.json()} - {one["symbol"] for one in after.json()} == {"YOUNGUSDT"}
