"""Tokens come in where clients put their API keys, and are seen nowhere."""

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.process import serving_process
from tests.api.workers import Workers

BINANCE = "/binance/api/v3/ping"
GECKO = "/coingecko/api/v3/ping"


@pytest.fixture
def anonymous(client: Client) -> Any:
    def get(path: str, **given: Any) -> Any:
        token = client.headers.pop("Authorization")
        try:
            return client.get(path, **given)
        finally:
            client.headers["Authorization"] = token

    return get


@pytest.mark.parametrize(
    ("path", "header"),
    [
        (BINANCE, "X-MBX-APIKEY"),
        (GECKO, "x-cg-demo-api-key"),
        (GECKO, "X-CG-Pro-API-Key"),
    ],
)
def test_a_key_header_is_a_token(anonymous: Any, hub: HubServer, path: str, header: str) -> None:
    assert anonymous(path, headers={header: hub.token}).status_code == 200
    assert anonymous(path, headers={header: "hf_nobodysToken0"}).status_code == 403
    assert anonymous(path, headers={header: ""}).status_code == 401


@pytest.mark.parametrize("name", ["x_cg_demo_api_key", "x_cg_pro_api_key", "x%5Fcg_pro_api_key"])
def test_a_key_parameter_is_a_token(anonymous: Any, hub: HubServer, name: str) -> None:
    assert anonymous(f"{GECKO}?{name}={hub.token}").status_code == 200
    assert anonymous(f"{GECKO}?{name}=hf_nobodysToken0").status_code == 403
    assert anonymous(f"{GECKO}?{name}=").status_code == 401


@pytest.mark.parametrize(
    ("path", "given"),
    [
        (GECKO, {"X-MBX-APIKEY": "TOKEN"}),
        (BINANCE, {"x-cg-pro-api-key": "TOKEN"}),
        ("/api/hub/market", {"X-MBX-APIKEY": "TOKEN"}),
    ],
)
def test_keys_count_at_their_own_endpoints_only(
    anonymous: Any, hub: HubServer, path: str, given: dict[str, str]
) -> None:
    headers = {name: value.replace("TOKEN", hub.token) for name, value in given.items()}
    assert anonymous(path, headers=headers).status_code == 401


def test_binance_takes_no_key_from_the_query(anonymous: Any, hub: HubServer) -> None:
    assert anonymous(f"{BINANCE}?x_cg_pro_api_key={hub.token}").status_code == 401


def test_a_bearer_token_beats_a_key(client: Client, hub: HubServer) -> None:
    assert client.get(f"{GECKO}?x_cg_pro_api_key=hf_nobodysToken0").status_code == 200
    wrong = {"Authorization": "Bearer hf_nobodysToken0", "x-cg-pro-api-key": hub.token}
    assert client.get(GECKO, headers=wrong).status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        (BINANCE, 401, {"code": -2014}),
        (GECKO, 401, {"status": {"error_code": 10002}}),
    ],
)
def test_refusals_have_the_shape_of_their_api(anonymous: Any, path: str, status: int, expected: dict[str, Any]) -> None:
    answer = anonymous(path)
    assert answer.status_code == status
    assert "bearer" in answer.headers["www-authenticate"].lower()
    body = answer.json()
    for name, value in expected.items():
        assert (body[name] if not isinstance(value, dict) else {key: body[name][key] for key in value}) == value


def test_other_parameters_are_left_as_they_came(anonymous: Any, hub: HubServer) -> None:
    asked = f"/coingecko/api/v3/simple/price?ids=bitcoin&x_cg_demo_api_key={hub.token}&vs_currencies=usd&names="
    assert anonymous(asked).json() == {"bitcoin": {"usd": 1.8e6}}


def test_different_keys_share_answers_but_not_permission(anonymous: Any, hub: HubServer) -> None:
    asked = "/coingecko/api/v3/simple/price?ids=tether&vs_currencies=usd"
    assert anonymous(f"{asked}&x_cg_demo_api_key={hub.token}").status_code == 200
    hot = anonymous(f"{asked}&x_cg_pro_api_key={hub.token}")
    assert "hot" in hot.headers["server-timing"]
    assert anonymous(f"{asked}&x_cg_pro_api_key=hf_nobodysToken0").status_code == 403
    assert anonymous(asked).status_code == 401


def test_a_key_is_in_no_log_answer_or_metric(
    hub: HubServer, seeded: Workers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = f"x_cg_demo_api_key={hub.token}"
    with serving(hub, tmp_path) as client:
        del client.headers["Authorization"]
        answers = [
            client.get(f"{path}{key}")
            for path in (
                f"{GECKO}?",
                "/coingecko/api/v3/coins/markets?vs_currency=xyz&",
                "/coingecko/api/v3/coins/markets?vs_currency=usd&as_of=never&",
                "/coingecko/api/v3/nothing/here?",
                "/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&",
            )
        ]
        metrics = client.get("/metrics").text
    assert [answer.status_code for answer in answers] == [200, 422, 400, 404, 200]
    said = [text for answer in answers for text in (answer.text, str(answer.headers))]
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]  # the test's own
    assert not [text for text in [*said, metrics, *(record.getMessage() for record in ours)] if hub.token in text]


def test_a_served_process_does_not_print_it(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving_process(hub, tmp_path) as url:  # it looks for the token in all that was printed
        asked = f"{url}/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&x_cg_pro_api_key={hub.token}"
        assert httpx.get(asked).status_code == 200
        assert httpx.get(asked.replace("simple/price", "wrong")).status_code == 404
