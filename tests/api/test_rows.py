"""Rows over HTTP: what was published comes back, cut, ordered and paged as asked."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from api.caching.answers import Answers
from api.engine.datafile import DataFile, Rows
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles

CANDLE_KEYS = ["symbol", "interval", "timestamp", "open", "high", "low", "close", "volume", "provider", "closed"]


def get(client: Client, url: str) -> list[dict[str, Any]]:
    response = client.get(url)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()
    return rows


def pages(client: Client, url: str) -> list[list[dict[str, Any]]]:
    """All pages, by following the links."""
    found = []
    next_url: str | None = url
    while next_url is not None:
        response = client.get(next_url)
        assert response.status_code == 200, response.text
        found.append(response.json())
        next_url = response.links.get("next", {}).get("url")
        assert len(found) < 1000
    return found


@pytest.mark.parametrize("interval", ["1h", "4h", "1d"])
def test_candles_come_back_as_they_were_published(client: Client, interval: str) -> None:
    published = candles(("BTCUSDT",), interval=interval).sort("timestamp")
    rows = get(client, f"/api/hub/ohlc?symbol=BTCUSDT&interval={interval}&limit=1000")
    assert list(rows[0]) == CANDLE_KEYS
    assert [row["timestamp"] for row in rows] == published["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list()
    for column in ("open", "high", "low", "close", "volume", "closed", "provider", "interval", "symbol"):
        assert [row[column] for row in rows] == published[column].to_list()


def test_the_newest_candles_come_oldest_first(client: Client) -> None:
    rows = get(client, "/api/hub/ohlc?symbol=btcusdt&limit=5")
    assert [row["timestamp"] for row in rows] == [f"2026-11-22T{hour:02d}:00:00Z" for hour in range(8, 13)]
    assert [row["closed"] for row in rows] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("query", "first", "last", "count"),
    [
        ("start=2026-11-20T00:00:00Z&limit=10", "2026-11-20T00:00:00Z", "2026-11-20T09:00:00Z", 10),
        (f"start={NOW_MS - 10 * HOUR_MS}", "2026-11-22T02:00:00Z", "2026-11-22T12:00:00Z", 11),
        ("end=2026-11-20T00:00:00Z&limit=3", "2026-11-19T21:00:00Z", "2026-11-19T23:00:00Z", 3),
        ("start=2026-11-20&end=2026-11-21", "2026-11-20T00:00:00Z", "2026-11-20T23:00:00Z", 24),
        ("start=2026-11-20&end=2026-11-21&order=desc&limit=2", "2026-11-20T23:00:00Z", "2026-11-20T22:00:00Z", 2),
        ("order=desc&limit=2", "2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z", 2),
        ("closed_only=true&limit=2", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z", 2),
        ("start=2026-11-20T01:00:00+01:00&limit=1", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z", 1),
        ("start=2026-11-20T00:00:00.001Z&limit=1", "2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z", 1),
    ],
)
def test_a_range_holds_what_lies_in_it(client: Client, query: str, first: str, last: str, count: int) -> None:
    rows = get(client, f"/api/hub/ohlc?symbol=ETHUSDT&interval=1h&{query}")
    assert (rows[0]["timestamp"], rows[-1]["timestamp"], len(rows)) == (first, last, count)


def test_an_empty_range_is_an_empty_list(client: Client) -> None:
    assert get(client, "/api/hub/ohlc?symbol=BTCUSDT&start=2030-01-01") == []
    assert get(client, "/api/hub/ohlc?symbol=BTCUSDT&end=2001-01-01") == []
    assert get(client, "/api/hub/market?start=2030-01-01") == []


@pytest.mark.parametrize("limit", [1, 7, 30, 199, 200, 201])
@pytest.mark.parametrize(
    ("query", "newest_first"),
    [("", True), ("&start=2026-11-01", False), ("&order=desc", True), ("&start=2026-11-01&order=desc", True)],
)
def test_pages_of_several_symbols_hold_every_row_once(
    client: Client, limit: int, query: str, newest_first: bool
) -> None:
    found = pages(client, f"/api/hub/ohlc?symbol=ETHUSDT,BTCUSDT&limit={limit}{query}")
    assert all(len(page) == limit for page in found[:-1])
    for page in found:
        keys = [(row["timestamp"], row["symbol"]) for row in page]
        assert keys == sorted(keys, reverse="desc" in query)
    keys = [(row["timestamp"], row["symbol"]) for page in found for row in page]
    assert len(set(keys)) == len(keys) == 200
    bounds = [(min(page, key=_key), max(page, key=_key)) for page in found]
    for one, two in pairwise(bounds):
        assert (_key(two[1]) < _key(one[0])) if newest_first else (_key(one[1]) < _key(two[0]))


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["timestamp"], row["symbol"]


def test_closed_only_leaves_out_nothing_else(client: Client) -> None:
    rows = get(client, "/api/hub/ohlc?symbol=ETHUSDT,BTCUSDT&limit=1000&closed_only=true")
    assert len(rows) == 198
    assert all(row["closed"] for row in rows)


def test_columns_come_as_asked(client: Client) -> None:
    rows = get(client, "/api/hub/ohlc?symbol=BTCUSDT&columns=close,trade_count,close_time&limit=1")
    assert list(rows[0]) == ["close", "trade_count", "close_time"]
    assert rows[0]["close_time"] == "2026-11-22T12:59:59.999Z"
    assert len(get(client, "/api/hub/ohlc?symbol=BTCUSDT&columns=*&limit=1")[0]) == 16


def test_market_is_the_newest_row_per_coin_largest_first(client: Client) -> None:
    rows = get(client, "/api/hub/market")
    assert [row["coin_id"] for row in rows] == ["bitcoin", "ethereum", "tether", "batcat"]
    assert list(rows[0])[:7] == ["symbol", "price", "market_cap", "volume_24h", "change_24h", "provider", "timestamp"]
    assert rows[0]["timestamp"] == "2026-11-22T11:59:59Z"
    assert get(client, "/api/hub/market?order=asc")[0]["coin_id"] == "batcat"


def test_a_shared_symbol_means_the_largest_coin(client: Client) -> None:
    assert [row["coin_id"] for row in get(client, "/api/hub/market?symbols=btc,ETH")] == ["bitcoin", "ethereum"]
    assert [row["coin_id"] for row in get(client, "/api/hub/market?coin_ids=batcat")] == ["batcat"]
    both = get(client, "/api/hub/market?symbols=BTC&coin_ids=batcat")
    assert [row["coin_id"] for row in both] == ["bitcoin", "batcat"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_market_pages_hold_every_coin_once(client: Client, limit: int) -> None:
    found = [row["coin_id"] for page in pages(client, f"/api/hub/market?limit={limit}") for row in page]
    assert found == ["bitcoin", "ethereum", "tether", "batcat"]


def test_market_in_a_range_is_every_row(client: Client) -> None:
    rows = get(client, "/api/hub/market?start=2026-11-22T11:59:57Z&columns=coin_id,timestamp")
    assert [row["coin_id"] for row in rows] == ["tether", "ethereum", "bitcoin"]
    assert get(client, "/api/hub/market?start=2026-11-22&symbols=BTC&columns=coin_id") == [{"coin_id": "bitcoin"}]


@pytest.mark.parametrize("ages", [range(1, 200), range(200, 0, -1)])
def test_ages_callers_think_of_are_not_kept(hub: HubServer, seeded: Workers, tmp_path: Path, ages: range) -> None:
    with serving(hub, tmp_path) as client:
        memory = Answers.of(client.app)._engine.dataset("market").current.memory
        for age_s in ages:
            coins = [row["coin_id"] for row in get(client, f"/api/hub/market?max_age={age_s}&columns=coin_id")]
            assert coins == ["bitcoin", "ethereum", "tether", "batcat"][: age_s + 1], "a coin a second"
        assert len(memory) == 1


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ("symbols=BTC", False),  # the newest rows are looked up when a commit is taken in
        ("symbols=BTC&max_age=3", False),
        ("symbols=BTC&start=2020-01-01", True),
        ("coin_ids=bitcoin&start=2020-01-01", True),
    ],
)
def test_no_file_is_opened_on_the_event_loop(
    hub: HubServer, seeded: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, *, opens: bool
) -> None:
    on_loop: list[bool] = []
    opened = DataFile.open

    def watched(file: DataFile) -> Rows:
        if not file.is_open:
            with suppress(RuntimeError):
                asyncio.get_running_loop()
                on_loop.append(True)
                return opened(file)
            on_loop.append(False)
        return opened(file)

    with serving(hub, tmp_path) as client:
        for file in Answers.of(client.app)._engine.dataset("market").current.data:
            file.close()
        monkeypatch.setattr(DataFile, "open", watched)
        assert get(client, f"/api/hub/market?{query}&columns=coin_id") == [{"coin_id": "bitcoin"}]
    assert bool(on_loop) is opens
    assert not any(on_loop)


def test_the_same_rows_as_the_parquet_files_on_the_hub(client: Client, seeded: Workers) -> None:
    info = client.get("/api/hub/dataset-info?dataset=ohlc").json()["ohlc"]
    base = f"{seeded.hub.endpoint}/datasets/{info['repo']}/resolve/{info['revision']}"
    paths = [file["path"] for file in info["files"] if file["path"].startswith("data/1h/")]
    assert len(paths) > 2
    contents = [httpx.get(f"{base}/{path}", follow_redirects=True).content for path in paths]
    stored = pl.concat([pl.read_parquet(content) for content in contents])
    rows = get(client, "/api/hub/ohlc?symbol=ETHUSDT,BTCUSDT&limit=1000&columns=symbol,close")
    assert sorted((row["symbol"], row["close"]) for row in rows) == sorted(stored.select("symbol", "close").rows())
