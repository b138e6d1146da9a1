"""What may be said once is refused when it is said twice: tokens, secrets, keys; lists may come in several lines."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.http.context import RequestContext
from api.http.errors import RepeatedHeader
from api.middleware.bounds import check_closely
from datahub_system.net.headers import ONLY_ONCE
from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.workers import Workers

BAD = "Bearer hf_nobodynobody"
BINANCE = "/binance/api/v3/ping"
GECKO = "/coingecko/api/v3/ping"


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    with serving_process(hub, home, DATAHUB_WEBHOOK_SECRET="s3cr3t") as address:
        yield address


def sent(url: str, path: str, *headers: tuple[str, str], method: str = "GET") -> httpx.Response:
    """A request with these headers, repeated ones too; an in-process client would merge them."""
    return httpx.request(method, url + path, headers=list(headers))


@pytest.mark.parametrize("path", ["/api/hub/market", "/api/hub/sql?q=SELECT+1", "/api/hub/stream", "/api/hub/status"])
@pytest.mark.parametrize("second", ["good", "bad", "empty"])
@pytest.mark.parametrize("turned", [False, True])
def test_two_authorization_headers_are_refused(
    url: str, hub: HubServer, path: str, second: str, *, turned: bool
) -> None:
    good = f"Bearer {hub.token}"
    if path == "/api/hub/market":
        assert sent(url, path, ("Authorization", good)).status_code == 200  # hot from here on
    values = [good, {"good": good, "bad": BAD, "empty": ""}[second]]
    answer = sent(url, path, *(("Authorization", value) for value in (values[::-1] if turned else values)))
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
    assert answer.json()["parameter"] == "authorization"
    assert hub.token not in answer.text


@pytest.mark.parametrize("second", ["s3cr3t", "other"])
def test_two_webhook_secrets_are_refused(url: str, second: str) -> None:
    answer = sent(url, "/api/hub/webhook", ("X-Webhook-Secret", "s3cr3t"), ("X-Webhook-Secret", second), method="POST")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("name", sorted([*ONLY_ONCE, b"last-event-id"]))
def test_other_headers_of_one_value_are_refused_too(name: bytes) -> None:
    scope: Any = {"path": "/", "query_string": b"", "headers": [(name, b"1"), (name, b"1")]}
    with pytest.raises(RepeatedHeader, match=name.decode()):
        check_closely(scope, RequestContext(scope))


@pytest.mark.parametrize("name", ["X-MBX-APIKEY", "Authorization"])
def test_a_repeated_key_is_refused_as_binance_would(url: str, hub: HubServer, name: str) -> None:
    value = hub.token if name != "Authorization" else f"Bearer {hub.token}"
    answer = sent(url, BINANCE, (name, value), (name, "hf_other0000"))
    assert (answer.status_code, answer.json()["code"]) == (400, -1101)
    assert hub.token not in answer.text


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([("x-cg-pro-api-key", "TOKEN"), ("x-cg-pro-api-key", "hf_other0000")], ""),
        ([("x-cg-pro-api-key", "TOKEN"), ("x-cg-demo-api-key", "hf_other0000")], ""),
        ([("x-cg-pro-api-key", "TOKEN")], "?x_cg_pro_api_key=hf_other0000"),
        ([], "?x_cg_pro_api_key=TOKEN&x_cg_pro_api_key=hf_other0000"),
        ([], "?x_cg_pro_api_key=TOKEN&x%5Fcg_pro_api_key="),
        ([], "?x_cg_pro_api_key=TOKEN&x_cg_demo_api_key=hf_other0000"),
    ],
)
def test_keys_that_contradict_each_other_are_refused_as_coingecko_would(
    url: str, hub: HubServer, headers: list[tuple[str, str]], query: str
) -> None:
    given = [(name, value.replace("TOKEN", hub.token)) for name, value in headers]
    answer = sent(url, GECKO + query.replace("TOKEN", hub.token), *given)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert hub.token not in answer.text


def test_the_same_key_in_two_places_is_one_key(url: str, hub: HubServer) -> None:
    answer = sent(url, f"{GECKO}?x_cg_pro_api_key={hub.token}", ("x-cg-demo-api-key", hub.token))
    assert answer.status_code == 200


def test_lists_may_be_sent_in_several_lines(url: str, hub: HubServer) -> None:
    token = ("Authorization", f"Bearer {hub.token}")
    for _ in range(2):  # the long way, and the hot one
        answer = sent(url, "/api/hub/market", token, ("Accept", "image/png"), ("Accept", "text/csv"))
        assert answer.headers["content-type"].startswith("text/csv")
        etags = (("If-None-Match", '"other"'), ("If-None-Match", answer.headers["etag"]))
        assert sent(url, "/api/hub/market", token, ("Accept", "text/csv"), *etags).status_code == 304
    coded = sent(
        url, "/api/hub/ohlc?symbol=BTCUSDT", token, ("Accept-Encoding", "identity"), ("Accept-Encoding", "gzip")
    )
    assert coded.headers["content-encoding"] == "gzip"
