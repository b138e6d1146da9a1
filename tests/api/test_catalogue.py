"""The catalogue of errors says of each what to do, and has every error that is answered."""

import pytest

from api.http.problems import catalogue
from tests.api.conftest import Client


def test_every_kind_says_what_to_do(client: Client) -> None:
    kinds = client.get("/api/hub/errors").json()
    assert len({kind["code"] for kind in kinds}) == len(kinds) > 20
    assert all(kind["title"] and kind["meaning"] and kind["remedy"] for kind in kinds)
    assert all(400 <= kind["status"] < 600 for kind in kinds)


def test_the_page_has_the_same(client: Client) -> None:
    page = client.get("/errors").text
    for kind in client.get("/api/hub/errors").json():
        assert f'id="{kind["code"]}"' in page


def test_every_error_is_in_the_catalogue(client: Client) -> None:
    page = client.get("/errors").text
    for kind in catalogue():
        assert f'id="{kind.code}"' in page


def test_it_is_open_to_all(client: Client) -> None:
    assert client.get("/api/hub/errors", headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/hub/ohlc",
        "/api/hub/ohlc?symbol=NOPE",
        "/api/hub/market?limt=1",
        "/api/hub/market?revision=nope",
        "/api/hub/market?cursor=x",
        "/api/hub/sql?q=SELEC",
        "/api/hub/sql?q=COPY+ohlc+TO+%27x%27",
        "/api/hub/nothing",
        "/api/hub/stream?dataset=weather",
        "/api/hub/snippets?path=/x",
    ],
)
def test_what_is_answered_is_in_it(client: Client, path: str) -> None:
    problem = client.get(path).json()
    kinds = {kind["code"]: kind["status"] for kind in client.get("/api/hub/errors").json()}
    assert kinds[problem["code"]] == problem["status"]
