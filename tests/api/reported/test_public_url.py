"""Behind a proxy that serves the API under a path, with another name: every URL it writes leads back to it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from api.middleware.public_url import is_ours
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import Workers

PUBLIC = "https://data.example.org/hub/v1"
FORWARDED = {"X-Forwarded-Host": "data.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/hub/v1"}


@pytest.fixture(scope="module")
def client(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home: Path = tmp_path_factory.mktemp("home")
    with serving(hub, home, DATAHUB_PUBLIC_URL=PUBLIC, DATAHUB_TRUSTED_PROXIES="127.0.0.1") as client:
        client.headers.update(FORWARDED)
        yield client


@pytest.fixture(params=["", "/hub/v1"], ids=["the proxy takes the path off", "the proxy leaves it"])
def under(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def inside(url: str) -> str:
    """What the proxy asks for when a caller asks for a public URL."""
    assert url.startswith(f"{PUBLIC}/"), url
    return url.removeprefix(PUBLIC)


def test_the_next_page_is_found(client: Client, under: str) -> None:
    for _ in range(2):
        first = client.get(f"{under}/api/hub/ohlc?symbol=BTCUSDT&limit=2")
        second = client.get(under + inside(first.links["next"]["url"]))
        assert (second.status_code, len(second.json())) == (200, 2)
        assert second.json() != first.json()


def test_permalinks_and_code_name_it(client: Client, under: str) -> None:
    found = client.get(f"{under}/api/hub/snippets", params={"path": "/api/hub/market?limit=1"}).json()
    assert client.get(under + inside(found["permalink"])).status_code == 200
    for name, code in found.items():
        for url in re.findall(r"https?://[^\s\"']+", code if isinstance(code, str) else json.dumps(code)):
            assert url.startswith(f"{PUBLIC}/"), (name, url)


def test_an_error_leads_to_what_it_means(client: Client, under: str) -> None:
    kind = client.get(f"{under}/api/hub/market?limt=1").json()["type"]
    page = client.get(under + inside(kind.partition("#")[0]))
    assert f'id="{kind.partition("#")[2]}"' in page.text
    for refused in (client.get(f"{under}/api/hub/nothing"), client.get(f"{under}/api/hub/market?x={'y' * 20_000}")):
        assert refused.json()["type"].startswith(f"{PUBLIC}/errors#")


@pytest.mark.parametrize("path", ["/docs", "/scalar", "/errors"])
def test_pages_load_what_they_need_from_under_it(client: Client, under: str, path: str) -> None:
    page = client.get(under + path).text
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page)
    assert named
    for one in named:
        asset = client.get(under + inside(urljoin(f"{PUBLIC}{path}", one)))
        assert asset.status_code == 200
        schema = re.search(r'url: "([^"]*openapi.json)"', asset.text)
        if schema is not None:
            document = client.get(under + inside(urljoin(f"{PUBLIC}{path}", schema[1]))).json()
            assert document["servers"] == [{"url": PUBLIC}]


@pytest.mark.parametrize("path", ["/docs", "/scalar", "/errors"])
def test_a_slash_at_the_end_leads_to_the_page(client: Client, under: str, path: str) -> None:
    answer = client.get(f"{under}{path}/", follow_redirects=False)
    assert urljoin(f"{PUBLIC}{path}/", answer.headers["location"]) == f"{PUBLIC}{path}"


def test_the_root_leads_to_the_documentation(client: Client, under: str) -> None:
    answer = client.get(f"{under}/", follow_redirects=False)
    assert inside(answer.headers["location"]) == "/docs"


@pytest.mark.parametrize("path", ["/hub/v12/docs", "/hub/docs", "/hub/v1/hub/v1/docs", "/docs/hub/v1"])
def test_only_the_path_itself_is_taken_off(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_without_the_setting_urls_are_relative(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    """The server cannot know what callers call it: a header that anybody may send is not believed."""
    with serving(hub, tmp_path) as client:
        first = client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=2", headers=FORWARDED)
        assert urlsplit(first.links["next"]["url"]).netloc == ""
        assert "example.org" not in client.get("/api/hub/market?limt=1", headers=FORWARDED).text
        assert client.get("/", follow_redirects=False).headers["location"] == "docs"


@pytest.mark.parametrize("public_path", ["/api", "/api/hub", "/binance", "/docs", "/d%20x", "/metrics"])
def test_a_public_path_called_like_one_of_ours_may_have_been_taken_off_or_not(
    hub: HubServer, seeded: Workers, tmp_path: Path, public_path: str
) -> None:
    with serving(hub, tmp_path, DATAHUB_PUBLIC_URL=f"https://example.org{public_path}") as client:
        for path in ("/api/hub/market?limit=1", "/binance/api/v3/ping", "/docs", "/metrics"):
            assert [client.get(prefix + path).status_code for prefix in ("", public_path)] == [200, 200], path


def test_all_that_is_served_lies_where_it_is_said_to(client: Client) -> None:
    routes = [route.path for route in client.app.routes]
    assert len(routes) > 20
    assert [path for path in routes if path != "/" and not is_ours(path)] == []
