"""Pairs of any script: what the exchange lists can be collected, asked for, and told from what it does not list."""

import json
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import Workers, candles

PAIRS = ("币安人生USDT", "1000SATSUSDT", "ČSKUSDT", "BTC_260626")


@pytest.fixture(scope="module")
def client(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    workers.publish(OHLC, candles(PAIRS, count=2))
    with serving(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.mark.parametrize("pair", PAIRS)
def test_it_is_answered_everywhere(client: Client, pair: str) -> None:
    assert len(client.get("/api/hub/ohlc", params={"symbol": pair}).json()) == 2
    klines = client.get("/binance/api/v3/klines", params={"symbol": pair, "interval": "1h"})
    assert (klines.status_code, len(klines.json())) == (200, 2)
    count = client.get(
        "/api/hub/sql", params={"q": "SELECT count(*) AS n FROM ohlc WHERE symbol = ?", "params": json.dumps([pair])}
    )
    assert count.json() == [{"n": 2}]
    coverage = client.get("/api/hub/coverage", params={"dataset": "ohlc", "symbol": pair})
    assert coverage.status_code == 200, coverage.text


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.endswith("USDT")])
def test_it_is_described(client: Client, pair: str) -> None:
    for asked in (
        {"symbol": pair},
        {"symbols": json.dumps([pair])},
        {"symbols": json.dumps([pair], ensure_ascii=False)},
    ):
        info = client.get("/binance/api/v3/exchangeInfo", params=asked).json()
        assert [one["symbol"] for one in info["symbols"]] == [pair]


@pytest.mark.parametrize("pair", ["没有USDT", "NOPEUSDT", "Ж", "A" * 50, "A-B.C_D"])
def test_one_that_is_spelt_well_and_not_there_is_no_illegal_word(client: Client, pair: str) -> None:
    for path in ("klines?interval=1h", "exchangeInfo?"):
        problem = client.get(
            f"/binance/api/v3/{path}",
            params={"symbol": pair, "interval": "1h"} if "klines" in path else {"symbol": pair},
        )
        assert (problem.status_code, problem.json()["code"]) == (400, -1121)


@pytest.mark.parametrize("word", ["btcusdt", "BTC/USDT", "BTC USDT", "币安人生usdt", "A" * 51, "BTC,USDT", "🏔USDT"])
def test_what_can_be_no_pair_is_illegal(client: Client, word: str) -> None:
    problem = client.get("/binance/api/v3/klines", params={"symbol": word, "interval": "1h"})
    assert (problem.status_code, problem.json()["code"]) == (400, -1100)


def test_the_settings_take_it() -> None:
    assert CandleSettings(DATAHUB_SYMBOLS="币安人生USDT,BTCUSDT").symbols == ("币安人生USDT", "BTCUSDT")
    written = "btc/usdt, ETH-USDT,all:usdt,币安人生usdt,BTCUSDT"
    assert CandleSettings(DATAHUB_SYMBOLS=written).symbols == ("BTCUSDT", "ETHUSDT", "all:USDT", "币安人生USDT")
    for slip in ("BTC USDT", "BTC_USDT", "B", "all:", "🏔USDT"):
        with pytest.raises(ValidationError, match="must be a list of pairs"):
            CandleSettings(DATAHUB_SYMBOLS=slip)


@pytest.mark.parametrize("pair", ["BTC/USDT", "BTC-USDT", "btcusdt", "btc/usdt", "Btc-Usdt", "币安人生/usdt"])
def test_a_pair_may_be_written_as_people_write_it(client: Client, pair: str) -> None:
    plain = pair.replace("/", "").replace("-", "").upper()
    rows = client.get("/api/hub/ohlc", params={"symbol": pair, "limit": 1}).json()
    assert [row["symbol"] for row in rows] == [plain]
    found, expected = (
        client.get("/api/hub/coverage", params={"dataset": "ohlc", "symbol": name}) for name in (pair, plain)
    )
    assert (found.status_code, found.json()) == (200, expected.json())
    listed = client.get("/api/hub/listings", params={"symbol": "btc/usdt"})
    assert [row["symbol"] for row in listed.json()] == ["BTCUSDT"]


@pytest.mark.parametrize("pair", ["BTC USDT", "BTC_USDT", "/", "BTC//USDT/X"])
def test_what_nobody_writes_is_no_pair(client: Client, pair: str) -> None:
    assert client.get("/api/hub/ohlc", params={"symbol": pair}).status_code in {400, 404}
