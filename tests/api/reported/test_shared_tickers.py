"""Coins that share a ticker or a name: the larger one is never lost."""

from collections.abc import Iterator

import polars as pl
import pytest

from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import COINS, Workers, prices

PRICE = "/coingecko/api/v3/simple/price"


@pytest.fixture(scope="module")
def client(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """`batcat` has Bitcoin's ticker and, here, its name as well; another has no market cap."""
    coins = (*COINS, ("nothing-known", "BTC", 8.86e6))
    frame = prices(coins=coins).with_columns(
        pl.when(pl.col("symbol") == "BTC").then(pl.lit("Bitcoin")).otherwise(pl.col("name")).alias("name"),
        pl.when(pl.col("coin_id") == "nothing-known").then(None).otherwise(pl.col("market_cap")).alias("market_cap"),
    )
    workers.publish(MARKET, frame)
    with serving(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.mark.parametrize(
    "asked", [{"symbols": "btc"}, {"symbols": "btc", "include_tokens": "all"}, {"symbols": "BTC,btc"}]
)
def test_by_ticker_the_largest_is_told(client: Client, asked: dict[str, str]) -> None:
    found = client.get(PRICE, params={**asked, "vs_currencies": "usd"}).json()
    assert found == {"btc": {"usd": 1.8e6}}


def test_by_name_too(client: Client) -> None:
    assert client.get(PRICE, params={"names": "Bitcoin", "vs_currencies": "usd"}).json() == {"Bitcoin": {"usd": 1.8e6}}


def test_lists_hold_all_of_them_the_largest_first(client: Client) -> None:
    asked = {"symbols": "btc", "include_tokens": "all", "vs_currency": "usd"}
    found = client.get("/coingecko/api/v3/coins/markets", params=asked).json()
    assert [coin["id"] for coin in found] == ["bitcoin", "batcat", "nothing-known"]


def test_by_id_each_is_its_own(client: Client) -> None:
    found = client.get(PRICE, params={"ids": "batcat,bitcoin", "vs_currencies": "usd"}).json()
    assert found == {"bitcoin": {"usd": 1.8e6}, "batcat": {"usd": 1.0}}
