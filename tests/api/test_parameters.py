"""What holds of every endpoint's query parameters: one of a single value is sent once, a list as often as one likes."""

from typing import Any

import pytest
from litestar.routes import HTTPRoute

from api.http.reading import query_parameters
from tests.api.conftest import Client


def single_valued(client: Client) -> list[tuple[str, str]]:
    """Every parameter of one value of every endpoint that answers GET."""
    found = [
        (route.path, name)
        for route in client.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "GET" in handler.http_methods and handler.resolve_include_in_schema()
        for name, is_list in query_parameters(handler).items()
        if not is_list
    ]
    assert len(found) > 60
    return found


def test_no_endpoint_guesses_which_of_two_values_is_meant(client: Client) -> None:
    for path, name in single_valued(client):
        answer = client.get(path, params=[(name, "1"), (name, "2")])
        assert answer.status_code == 400, (path, name)
        assert name in answer.text, (path, name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "/api/hub/market?limit=1&limit=2",
            {"code": "repeated_parameter", "parameter": "limit"},
        ),
        ("/api/hub/sql?q=SELECT+1&q=SELECT+2", {"code": "repeated_parameter", "parameter": "q"}),
        ("/api/hub/market?limit=1&limit=1", {"code": "repeated_parameter"}),
        ("/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&interval=4h", {"code": -1101}),
        (
            "/coingecko/api/v3/coins/markets?vs_currency=usd&vs_currency=eur",
            {"error": "vs_currency is sent 2 times ('usd', 'eur') and has one value only"},
        ),
    ],
)
def test_a_repeated_parameter_is_named(client: Client, url: str, expected: dict[str, Any]) -> None:
    answer = client.get(url)
    assert answer.status_code == 400
    assert answer.json().items() >= expected.items()


@pytest.mark.parametrize(
    "url",
    [
        "/api/hub/ohlc?symbol=BTCUSDT&symbol=ETHUSDT&limit=4&columns=symbol&columns=close",
        "/api/hub/market?coin_ids=bitcoin&coin_ids=ethereum",
        "/api/hub/coverage?symbol=BTCUSDT&symbol=ETHUSDT",
        "/coingecko/api/v3/ping?unknown=1&unknown=2",
    ],
)
def test_lists_may_repeat(client: Client, url: str) -> None:
    assert client.get(url).status_code == 200


def test_a_header_is_no_query_parameter(client: Client) -> None:
    answer = client.get("/api/hub/stream?Last-Event-ID=1")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
