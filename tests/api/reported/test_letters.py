"""Letters whose small and capital forms are not each other's: names come back as they were sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datahub_assets.datasets.filters import in_capitals, in_small_letters
from datahub_assets.datasets.market.rows import check_markets
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import iso
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import NOW_MS, Workers

SYMBOLS = {
    "dotless": "ı",
    "plain": "i",
    "sharp": "ß",
    "two": "ss",
    "greek": "σς",
    "ligature": "ﬁx",
    "chinese": "币安",
    "kelvin": "k",
}
ITEMS = [
    {
        "id": name,
        "symbol": symbol,
        "name": symbol,
        "current_price": rank,
        "market_cap": 1e9 / rank,
        "last_updated": iso(NOW_MS),
    }
    for rank, (name, symbol) in enumerate(SYMBOLS.items(), start=1)
]


@pytest.fixture(scope="module")
def client(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    checked = check_markets(ITEMS, now_ms=NOW_MS)
    assert not checked.rejected
    workers.publish(MARKET, checked.frame)
    home: Path = tmp_path_factory.mktemp("home")
    with serving(hub, home) as client:
        yield client


@pytest.mark.parametrize("symbol", SYMBOLS.values())
def test_a_ticker_comes_back_as_it_was_sent(client: Client, symbol: str) -> None:
    found = client.get("/coingecko/api/v3/simple/price", params={"symbols": symbol, "vs_currencies": "usd"}).json()
    rank = list(SYMBOLS.values()).index(symbol) + 1
    assert found == {symbol: {"usd": rank}}
    listed = client.get("/coingecko/api/v3/coins/markets", params={"symbols": symbol, "vs_currency": "usd"}).json()
    assert [(coin["symbol"], coin["name"]) for coin in listed] == [(symbol, symbol)]


@pytest.mark.parametrize("symbol", SYMBOLS.values())
def test_a_ticker_matches_itself_alone(client: Client, symbol: str) -> None:
    rows = client.get("/api/hub/market", params={"symbols": symbol}).json()
    assert [row["name"] for row in rows] == [symbol]


def test_a_coin_that_upstream_gives_no_ticker_and_no_name_is_answered_with_null(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path
) -> None:
    nameless = {**ITEMS[0], "id": "nameless", "symbol": None, "name": None, "market_cap": 1.0}
    checked = check_markets([nameless], now_ms=NOW_MS)
    assert not checked.rejected
    workers.publish(MARKET, checked.frame)
    with serving(hub, tmp_path) as client:
        listed = client.get("/coingecko/api/v3/coins/list").json()
        assert {"id": "nameless", "symbol": None, "name": None} in listed
        assert client.get("/coingecko/api/v3/coins/nameless").json()["symbol"] is None
        found = client.get("/coingecko/api/v3/search", params={"query": "nameless"}).json()["coins"]
        assert [coin["id"] for coin in found] == ["nameless"]
        price = client.get("/coingecko/api/v3/simple/price", params={"ids": "nameless", "vs_currencies": "usd"})
        assert price.json() == {"nameless": {"usd": 1}}


@pytest.mark.parametrize("text", ["btc", "BTC", "ı", "ß", "İ", "ﬁx", "σς", "币安人生usdt", "", "ΑΒΓ", "straße", "ǆ"])
def test_no_letter_is_lost(text: str) -> None:
    assert in_capitals(text).lower() == text.lower()
    assert in_small_letters(text).upper() == text.upper()
    assert in_capitals(in_capitals(text)) == in_capitals(text)
