"""A query is checked before there are snippets for it: refused as itself would be, and not asked."""

from pathlib import Path

import httpx
import pytest

from api.stream.feed import MOST_LISTENERS
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.snippets.queries import STREAM
from tests.api.workers import Workers


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"limit": "3"}, (400, "path")),
        ({"path": ""}, (400, "path")),
        ({"path": "/metrics"}, (400, "path")),
        ({"path": "/api/hub/snippets?path=/api/hub/market"}, (400, "path")),
        ({"path": "/api/hub/webhook"}, (400, "path")),
        ({"path": "/etc/passwd"}, (400, "path")),
        ({"path": "http://[broken"}, (400, "path")),
        ({"path": "x" * 9000}, (400, "path")),
        ({"path": "/api/hub/market?" + "symbols=A&" * 600}, (400, "path")),
        ({"path": "/api/hub/ohlc"}, (400, "symbol")),
        ({"path": "/api/hub/market?limt=3"}, (400, "limt")),
        ({"path": "/api/hub/market", "limt": "3"}, (400, "limt")),
        ({"path": "/api/hub/market", "as_of": "soon"}, (400, "as_of")),
        ({"path": "/api/hub/market", "revision": "main", "as_of": "2100-01-01"}, (400, "as_of")),
        ({"path": "/api/hub/market", "revision": "0" * 40}, (404, None)),
    ],
)
def test_what_is_no_query_is_said(client: Client, params: dict[str, str], expected: tuple[int, str | None]) -> None:
    answer = client.get("/api/hub/snippets", params=params)
    assert (answer.status_code, answer.json().get("parameter")) == expected


@pytest.mark.parametrize(
    "query",
    [
        "/api/hub/ohlc?symbol=NOPE",
        "/api/hub/ohlc?symbol=BTCUSDT&interval=7h",
        "/api/hub/ohlc?symbol=BTCUSDT&cursor=made-up",
        "/api/hub/market?limit=0",
        "/api/hub/market?limit=many",
        "/api/hub/market?limit=1&limit=2",
        "/api/hub/market?format=xml",
        "/api/hub/market?coin_ids=nope",
        "/api/hub/market?coin_ids=nope&start=2020-01-01",
        "/api/hub/market?start=2020-01-02&end=2020-01-01",
        "/api/hub/market?order=up",
        "/api/hub/market?as_of=1970-01-02",
        "/api/hub/sql",
        "/api/hub/sql?q=SELECT+1&q=SELECT+2",
        "/api/hub/sql?q=SELECT+1&params=nope",
        "/api/hub/sql?q=SELECT+1&format=xml",
        "/api/hub/sql?q=SELECT+1&revision=nope",
        "/api/hub/sql?q=SELECT+1&revision=weather@main",
        "/api/hub/dataset-info?dataset=weather",
        "/api/hub/dataset-info?revision=nope",
        "/api/hub/diff",
        "/api/hub/diff?dataset=ohlc",
        "/api/hub/diff?dataset=ohlc&from=nope",
        "/api/hub/diff?dataset=ohlc&from=main&from_as_of=2025-01-01",
        "/api/hub/diff?dataset=ohlc&from=main&limit=0",
        "/api/hub/coverage?symbol=NOPE",
        "/api/hub/coverage?interval=7h",
        "/api/hub/coverage?dataset=market&interval=1h",
        "/api/hub/revisions?dataset=weather",
        "/api/hub/revisions?dataset=market&limit=1001",
        "/api/hub/revisions?dataset=market&before=nope",
        "/api/hub/stream?dataset=weather",
        "/api/hub/stream?symbol=NOPE",
        "/api/hub/status?verbose=1",
        "/binance/api/v3/klines?symbol=NOPE&interval=1h",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=5m",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=7h",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&limt=1",
        "/binance/api/v3/klines?symbol=BTCUSDT&symbol=ETHUSDT&interval=1h",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&revision=nope",
        "/binance/api/v3/exchangeInfo?symbol=NOPE",
        "/binance/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus=BREAK",
        "/binance/api/v3/ping?limt=1",
        "/coingecko/api/v3/coins/markets",
        "/coingecko/api/v3/coins/markets?vs_currency=usd&page=1&page=2",
        "/coingecko/api/v3/coins/markets?vs_currency=usd&as_of=soon",
        "/coingecko/api/v3/simple/price?vs_currencies=usd",
        "/coingecko/api/v3/coins/unheard-of",
        "/coingecko/api/v3/coins/a%27b%22c",
        "/coingecko/api/v3/coins/unheard-of/market_chart?vs_currency=usd&days=1",
        "/coingecko/api/v3/coins/bitcoin/ohlc?vs_currency=usd&days=2",
        "/coingecko/api/v3/ping?x_cg_pro_api_key=a&x_cg_pro_api_key=b",
    ],
)
def test_a_query_that_is_refused_is_refused_in_the_same_words(client: Client, query: str) -> None:
    itself, snippets = client.get(query), client.get("/api/hub/snippets", params={"path": query})
    assert itself.status_code == snippets.status_code >= 400
    assert itself.headers["content-type"] == snippets.headers["content-type"]
    said = [answer.json() for answer in (itself, snippets)]
    for problem in said:
        problem.pop("request_id", None)
    assert said[0] == said[1]


@pytest.mark.parametrize("statement", ["SELEC 1", "COPY ohlc TO 'x'", "SELECT nope FROM ohlc"])
def test_a_statement_is_not_run(client: Client, statement: str) -> None:
    query = {"path": "/api/hub/sql", "q": statement}
    found = client.get("/api/hub/snippets", params=query).json()
    assert client.get(httpx.URL(found["permalink"]).raw_path.decode()).status_code in {400, 403}


def test_asking_for_snippets_is_one_request(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path, DATAHUB_RATE_LIMIT_PER_MIN="2") as client:
        asked = [client.get("/api/hub/snippets", params={"path": "/api/hub/market"}) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]


def test_asking_for_snippets_leaves_no_follower_behind(client: Client) -> None:
    """As many as may follow at once, and some more."""
    for _ in range(MOST_LISTENERS + 2):
        assert client.get("/api/hub/snippets", params={"path": STREAM}).status_code == 200


def test_a_token_in_a_query_is_not_repeated(client: Client, hub: HubServer) -> None:
    for params, status in (
        ({"path": f"/api/hub/market?x_cg_pro_api_key={hub.token}"}, 400),
        ({"path": f"/api/hub/market?token={hub.token}"}, 200),  # left out, as any caller puts in their own
        ({"path": "/api/hub/market", "token": hub.token}, 200),
    ):
        answer = client.get("/api/hub/snippets", params=params)
        assert answer.status_code == status
        assert hub.token not in answer.text
    for name in ("x_cg_demo_api_key", "x_cg_pro_api_key", "anything"):
        answer = client.get("/api/hub/snippets", params={"path": f"/coingecko/api/v3/ping?{name}={hub.token}"})
        assert answer.status_code == 200
        assert hub.token not in answer.text
