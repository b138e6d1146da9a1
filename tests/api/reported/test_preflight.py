"""Pages may send the headers their libraries add; a preflight that is none allows nothing more."""

import pytest

from tests.api.conftest import Client

ADDED = (
    *("Cache-Control", "Range", "Pragma", "If-Modified-Since", "X-Requested-With", "traceparent", "Last-Event-ID"),
    *("tracestate", "baggage", "If-Range", "X-MBX-APIKEY", "X-MBX-TIME-UNIT", "x-cg-demo-api-key", "sentry-trace"),
)


def allowed(client: Client, asked: str | None, path: str = "/api/hub/market") -> set[str]:
    headers = {"Origin": "https://dashboard.example", "Access-Control-Request-Method": "GET"}
    answer = client.options(
        path, headers=headers if asked is None else {**headers, "Access-Control-Request-Headers": asked}
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    return {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}


@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("path", ["/api/hub/market", "/api/hub/sql", "/binance/api/v3/klines", "/api/hub/stream"])
def test_each_is_allowed(client: Client, name: str, path: str) -> None:
    assert {name.lower(), "authorization"} <= allowed(client, f"authorization, {name.lower()}", path)


@pytest.mark.parametrize("odd", ["", "a b", "a,,b", "x" * 5000, 'a"b', "a;b"])
def test_what_is_no_list_of_headers_adds_nothing(client: Client, odd: str) -> None:
    assert allowed(client, odd) == allowed(client, None)
