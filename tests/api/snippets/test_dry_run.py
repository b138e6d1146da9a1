"""A query is tried before there are snippets for it: refused as itself would be, and nothing stays behind."""

import pytest

from api.stream.feed import MOST_LISTENERS
from localhub.testing import HubServer
from tests.api.conftest import Client
from tests.api.snippets.queries import STREAM


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
        "/api/hub/sql",
        "/api/hub/sql?q=SELEC+1",
        "/api/hub/sql?q=COPY+ohlc+TO+%27x%27",
        "/api/hub/diff?dataset=ohlc&from=nope",
        "/api/hub/coverage?symbol=NOPE",
        "/api/hub/revisions?dataset=news",
        "/api/hub/stream?dataset=news",
        "/binance/api/v3/klines?symbol=NOPE&interval=1h",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&limt=1",
        "/coingecko/api/v3/coins/markets",
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


def test_asking_for_snippets_leaves_no_follower_behind(client: Client) -> None:
    """As many as may follow at once, and some more."""
    for _ in range(MOST_LISTENERS + 2):
        assert client.get("/api/hub/snippets", params={"path": STREAM}).status_code == 200


def test_a_token_in_a_query_is_not_repeated(client: Client, hub: HubServer) -> None:
    for params in (
        {"path": f"/api/hub/market?x_cg_pro_api_key={hub.token}"},
        {"path": "/api/hub/market", "token": hub.token},
    ):
        answer = client.get("/api/hub/snippets", params=params)
        assert answer.status_code == 400
        assert hub.token not in answer.text
    for name in ("x_cg_demo_api_key", "x_cg_pro_api_key", "anything"):
        answer = client.get("/api/hub/snippets", params={"path": f"/coingecko/api/v3/ping?{name}={hub.token}"})
        assert answer.status_code == 200
        assert hub.token not in answer.text
