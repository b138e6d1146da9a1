"""The Binance endpoints: its parameters, its rows, its refusals."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest

from api.dropin.binance.exchange_info import QUOTES
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.rows import frame_of
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import DAY_MS, HOUR_MS, NOW_MS, Workers, candles

KLINES = "/binance/api/v3/klines"
HOURS = candles(("BTCUSDT",)).sort("timestamp")
OPENED = HOURS["timestamp"].dt.epoch("ms").to_list()


def klines(client: Client, **params: Any) -> Any:
    return client.get(KLINES, params={"symbol": "BTCUSDT", "interval": "1h", **params})


def as_written(row: dict[str, Any]) -> list[Any]:
    """A candle as Binance writes it."""
    times = {
        name: int(row[name].timestamp()) * 1000 + row[name].microsecond // 1000 for name in ("timestamp", "close_time")
    }
    return [
        times["timestamp"],
        *(f"{row[name]:.8f}" for name in ("open", "high", "low", "close", "volume")),
        times["close_time"],
        f"{row['quote_volume']:.8f}",
        row["trade_count"],
        f"{row['taker_buy_volume']:.8f}",
        f"{row['taker_buy_quote_volume']:.8f}",
        "0",
    ]


def test_what_is_not_served_is_told_whatever_its_parameters(client: Client) -> None:
    for url in ("/binance/api/v3/avgPrice", "/binance/api/v3/avgPrice?symbol=BTCUSDT"):
        answer = client.get(url)
        assert answer.status_code == 404
        assert "is not served here" in answer.json()["msg"]


def test_every_published_value_is_there(client: Client) -> None:
    answer = klines(client)
    assert answer.json() == [as_written(row) for row in HOURS.iter_rows(named=True)]
    assert len(answer.headers["x-revision"]) == 40


def test_ui_klines_are_the_same(client: Client) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "4h", "limit": 5, "startTime": OPENED[3]}
    answer = client.get("/binance/api/v3/uiKlines", params=asked)
    assert len(answer.json()) == 5
    assert answer.json() == client.get(KLINES, params=asked).json()
    assert client.get("/binance/api/v3/uiKlines", params=asked | {"interval": "9h"}).json()["code"] == -1120


def test_the_forming_candle_comes_last(client: Client) -> None:
    last = klines(client, limit=1).json()[0]
    assert last[0] == OPENED[-1] == NOW_MS
    assert last[6] == NOW_MS + HOUR_MS - 1


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, OPENED),
        ({"limit": 3}, OPENED[-3:]),
        ({"limit": 5000}, OPENED),
        ({"startTime": OPENED[10], "limit": 2}, OPENED[10:12]),
        ({"startTime": OPENED[10] + 1, "limit": 2}, OPENED[11:13]),
        ({"startTime": 0, "limit": 1}, OPENED[:1]),
        ({"endTime": OPENED[10]}, OPENED[:11]),
        ({"endTime": OPENED[10], "limit": 2}, OPENED[9:11]),
        ({"endTime": OPENED[10] - 1, "limit": 2}, OPENED[8:10]),
        ({"startTime": OPENED[10], "endTime": OPENED[12]}, OPENED[10:13]),
        ({"startTime": OPENED[10], "endTime": OPENED[12], "limit": 1}, OPENED[10:11]),
        ({"startTime": OPENED[12], "endTime": OPENED[10]}, []),
        ({"startTime": OPENED[-1] + HOUR_MS}, []),
        ({"startTime": "9" * 20}, []),
        ({"timeZone": "0"}, OPENED),
        ({"timeZone": "-1:00"}, OPENED),
        ({"timeZone": "+14"}, OPENED),
    ],
)
def test_times_and_limits_mean_what_they_mean_there(
    client: Client, params: dict[str, Any], expected: list[int]
) -> None:
    assert [kline[0] for kline in klines(client, **params).json()] == expected


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": None}, -1102),
        ({"symbol": ""}, -1102),
        ({"interval": None}, -1102),
        ({"symbol": "btcusdt"}, -1100),
        ({"symbol": "X" * 51}, -1100),
        ({"symbol": "X" * 50}, -1121),
        ({"symbol": "币安人生USDT"}, -1121),
        ({"symbol": "BTC/USDT"}, -1100),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"interval": "7h"}, -1120),
        ({"interval": "1H"}, -1120),
        ({"interval": "1m"}, -1120),
        ({"interval": "1M"}, -1120),
        ({"limit": "0"}, -1130),
        ({"limit": "many"}, -1100),
        ({"limit": "-1"}, -1100),
        ({"limit": "٣"}, -1100),
        ({"limit": ""}, -1105),
        ({"startTime": "yesterday"}, -1100),
        ({"endTime": "1.5"}, -1100),
        ({"timeZone": "0:30"}, -1130),
        ({"timeZone": "15"}, -1130),
        ({"timeZone": "x"}, -1130),
        ({"interval": "1d", "timeZone": "8"}, -1130),
        ({"limt": "1"}, -1104),
        ({"revision": "main", "as_of": "2026-01-01"}, -1130),
    ],
)
def test_refusals_carry_its_codes(client: Client, params: dict[str, Any], code: int) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "1h", **params}
    answer = client.get(KLINES, params={name: value for name, value in asked.items() if value is not None})
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert answer.json()["msg"]
    assert set(answer.json()) == {"code", "msg"}


def test_the_same_request_is_answered_from_memory_and_by_304(client: Client) -> None:
    first = klines(client, limit=7)
    again = klines(client, limit=7)
    assert "hot" in again.headers["server-timing"]
    assert again.content == first.content
    held = client.get(
        KLINES,
        params={"symbol": "BTCUSDT", "interval": "1h", "limit": 7},
        headers={"If-None-Match": first.headers["etag"]},
    )
    assert (held.status_code, held.content) == (304, b"")
    packed = client.get(KLINES, params={"symbol": "BTCUSDT", "interval": "1h"}, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == klines(client).json()


def test_any_commit_can_be_asked(hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path) -> None:
    before = workers.publish(OHLC, candles(("AAAUSDT",), count=3))
    after = workers.publish(OHLC, candles(("AAAUSDT",), count=3, seed=1))
    with serving(hub, tmp_path) as client:
        old, new = (klines(client, symbol="AAAUSDT", revision=sha) for sha in (before, f"ohlc@{after}"))
        assert "immutable" not in klines(client, symbol="AAAUSDT").headers["cache-control"]
    assert all("immutable" in answer.headers["cache-control"] for answer in (old, new))
    assert old.headers["x-revision"] == before
    for answer, seed in ((old, 0), (new, 1)):
        published = candles(("AAAUSDT",), count=3, seed=seed).sort("timestamp")
        assert answer.json() == [as_written(row) for row in published.iter_rows(named=True)]


def test_what_is_missing_is_null(hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path) -> None:
    row = candles(("BBBUSDT",), count=1).row(0, named=True)
    bare = {name: row[name] for name in ("symbol", "interval", "open", "high", "low", "close", "closed", "provider")}
    times = {name: round(row[name].timestamp() * 1000) for name in ("timestamp", "close_time", "ingested_at")}
    workers.publish(OHLC, frame_of(OHLC, [bare | times]))
    with serving(hub, tmp_path) as client:
        kline = klines(client, symbol="BBBUSDT").json()[0]
    assert kline[5] is None
    assert kline[7:] == [None, None, None, None, "0"]


def test_exchange_info_says_what_candles_tell(client: Client) -> None:
    info = client.get("/binance/api/v3/exchangeInfo").json()
    assert (info["timezone"], info["exchangeFilters"], info["rateLimits"]) == ("UTC", [], [])
    pairs = {pair["symbol"]: pair for pair in info["symbols"]}
    assert {"BTCUSDT", "ETHUSDT"} <= set(pairs)
    bitcoin = {name: value for name, value in pairs["BTCUSDT"].items() if value is not None}
    rules = [("PRICE_FILTER", "tickSize", "0.01000000"), ("LOT_SIZE", "stepSize", "0.00001000")]
    rules.append(("NOTIONAL", "minNotional", "5.00000000"))
    assert bitcoin == {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "filters": [{"filterType": name, field: step} for name, field, step in rules],
    }
    assert "filters" in pairs["BTCUSDT"]


def test_a_pair_without_new_candles_is_not_trading(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path
) -> None:
    old = candles(("OLDUSDT", "ODDPAIR"), interval="1d", until_ms=NOW_MS - 30 * DAY_MS, count=3)
    workers.publish(OHLC, old.with_columns(pl.lit(True).alias("closed")))
    with serving(hub, tmp_path) as client:
        info = client.get("/binance/api/v3/exchangeInfo").json()
        dead = client.get("/binance/api/v3/exchangeInfo", params={"symbolStatus": "BREAK"}).json()
        assert klines(client, symbol="ODDPAIR", interval="1d").status_code == 200
    assert {pair["symbol"]: pair["status"] for pair in info["symbols"]}["OLDUSDT"] == "BREAK"
    assert [pair["symbol"] for pair in dead["symbols"]] == ["OLDUSDT"]
    assert "ODDPAIR" not in {pair["symbol"] for pair in info["symbols"]}, "its quote asset cannot be told"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"symbol": "ETHUSDT"}, ["ETHUSDT"]),
        ({"symbols": json.dumps(["ETHUSDT", "BTCUSDT"])}, ["ETHUSDT", "BTCUSDT"]),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbols": '["btc"]'}, -1100),
        ({"symbol": "BTCUSDT", "symbols": '["ETHUSDT"]'}, -1128),
        ({"symbolStatus": "DEAD"}, -1130),
        ({"symbols": '["BTCUSDT"]', "symbolStatus": "TRADING"}, -1128),
        ({"symbol": "BTCUSDT", "permissions": "SPOT"}, -1128),
        ({"symbolStatus": "HALT"}, []),
        ({"permissions": "spot"}, -1100),
        ({"permissions": '["SPOT"'}, -1100),
        ({"permissions": '["spot"]'}, -1100),
        ({"showPermissionSets": "maybe"}, -1130),
        ({"permision": "SPOT"}, -1104),
    ],
)
def test_exchange_info_of_some_pairs(client: Client, params: dict[str, str], expected: list[str] | int) -> None:
    answer = client.get("/binance/api/v3/exchangeInfo", params=params)
    if isinstance(expected, int):
        assert (answer.status_code, answer.json()["code"]) == (400, expected)
    else:
        assert [pair["symbol"] for pair in answer.json()["symbols"]] == expected


@pytest.mark.parametrize("permissions", ["SPOT", '["MARGIN","LEVERAGED"]', '["SPOT"]'])
def test_permissions_leave_out_nothing(client: Client, permissions: str) -> None:
    url = "/binance/api/v3/exchangeInfo"
    for further in ({}, {"symbolStatus": "TRADING"}):
        chosen = client.get(url, params={"permissions": permissions, **further}).json()["symbols"]
        assert chosen == client.get(url, params=further).json()["symbols"] != []


def test_permission_sets_are_left_out_when_not_wanted(client: Client) -> None:
    url = "/binance/api/v3/exchangeInfo"
    for value, expected in ((None, None), ("true", None), ("false", []), ("False", [])):
        params = {} if value is None else {"showPermissionSets": value}
        pairs = client.get(url, params=params).json()["symbols"]
        assert [pair["permissionSets"] for pair in pairs] == [expected] * len(pairs)


@pytest.mark.parametrize("params", [{"revision": "0" * 40}, {"revision": "nope"}, {"as_of": "1990-01-01"}])
@pytest.mark.parametrize("path", ["klines?symbol=BTCUSDT&interval=1h", "exchangeInfo?"])
def test_a_revision_that_is_not_there_is_said_so(client: Client, path: str, params: dict[str, str]) -> None:
    answer = client.get(f"/binance/api/v3/{path}&{urlencode(params)}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "msg"}
    assert answer.json()["code"] == -1130
    assert answer.json()["msg"].startswith("Unknown revision.")


def test_longer_quotes_are_tried_first() -> None:
    for place, quote in enumerate(QUOTES):
        assert not any(quote.endswith(earlier) for earlier in QUOTES[:place]), quote


def test_its_limit_is_ours(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path, DATAHUB_RATE_LIMIT_PER_MIN="2") as client:
        limit = client.get("/binance/api/v3/exchangeInfo").json()["rateLimits"][0]
        assert (limit["limit"], limit["interval"]) == (2, "MINUTE")
        assert client.get("/binance/api/v3/ping").json() == {}
        over = client.get("/binance/api/v3/ping")
        assert (over.status_code, over.json()["code"]) == (429, -1003)
        assert int(over.headers["retry-after"]) > 0


def test_other_paths_say_what_there_is(client: Client) -> None:
    answer = client.get("/binance/api/v3/ticker/bookTicker")
    assert (answer.status_code, answer.json()["code"]) == (404, -1020)
    assert "klines" in answer.json()["msg"]


def test_nothing_read_yet_is_503(hub: HubServer, tmp_path: Path) -> None:
    with serving(hub, tmp_path, wait_ready=False, HF_USERNAME="nobody") as client:
        answer = klines(client)
        assert (answer.status_code, answer.json()["code"]) == (503, -1001)
