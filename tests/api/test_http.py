"""HTTP done right: ETags, conditions, HEAD, other methods, CORS, rate limits, request ids, and the count of it all."""

from pathlib import Path

import httpx
import pytest

from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.question import URL
from tests.api.workers import Workers


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "/api/hub/market",
        "/api/hub/market?format=csv",
        "/api/hub/dataset-info",
        "/api/hub/coverage",
        "/api/hub/diff?dataset=ohlc&from=main",
    ],
)
def test_an_etag_that_holds_is_304(client: Client, url: str) -> None:
    first = client.get(url)
    for _ in range(2):  # the long way, and the hot one
        again = client.get(url, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert again.status_code == 304
        assert again.content == b""
        for name in ("etag", "cache-control", "vary", "x-revision"):
            assert again.headers[name] == first.headers[name]
    other = client.get(url, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
    assert client.get(url, headers={"If-None-Match": f"W/{first.headers['etag']}"}).status_code == 304
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304


def test_queries_that_mean_the_same_share_an_etag(client: Client) -> None:
    one = client.get("/api/hub/ohlc?symbol=BTCUSDT,ETHUSDT&interval=1h&limit=500&format=json")
    two = client.get("/api/hub/ohlc?limit=500&symbol=ethusdt&symbol=btcusdt", headers={"Accept": "application/json"})
    assert one.headers["etag"] == two.headers["etag"]
    assert one.content == two.content
    three = client.get("/api/hub/ohlc?limit=499&symbol=ethusdt&symbol=btcusdt")
    assert three.headers["etag"] != one.headers["etag"]


def test_only_pinned_answers_are_immutable(client: Client) -> None:
    first = client.get(URL)
    assert first.headers["cache-control"] == "private, no-cache"
    pinned = f"{URL}&revision={first.headers['x-revision']}"
    for _ in range(2):
        assert client.get(pinned).headers["cache-control"] == "private, max-age=31536000, immutable"
        assert client.get(URL).headers["cache-control"] == "private, no-cache"
    assert client.get(pinned).headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("url", [URL, "/api/hub/status", "/docs", "/api/hub/market?nope=1"])
def test_head_is_get_without_the_body(client: Client, url: str) -> None:
    for _ in range(2):
        head, full = client.head(url), client.get(url)
        assert head.status_code == full.status_code
        assert head.content == b""
        assert head.headers["content-length"] == full.headers["content-length"]
        assert head.headers.get("etag") == full.headers.get("etag")


def test_a_wrong_method_is_405(client: Client) -> None:
    answer = client.post("/api/hub/market")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_options_say_what_may_be_done_whatever_the_query_is(client: Client) -> None:
    answer = client.options(URL)
    assert answer.status_code == 204
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_any_page_may_read_the_answers(client: Client) -> None:
    answer = client.get(URL, headers={"Origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    preflight = client.options(
        URL,
        headers={
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers.get_list("access-control-allow-origin") == ["*"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "GET" in preflight.headers["access-control-allow-methods"]


def test_request_ids_and_timings(client: Client) -> None:
    one, two = client.get(URL), client.get(URL)
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    assert client.get(URL, headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get(URL, headers={"X-Request-Id": "bad id\t"}).headers["x-request-id"] != "bad id\t"
    assert "total;dur=" in one.headers["server-timing"]
    problem = client.get("/api/hub/ohlc?symbol=NOPE", headers={"X-Request-Id": "mine-2"}).json()
    assert problem["request_id"] == "mine-2"


def test_the_rate_limit_is_per_token(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path, DATAHUB_RATE_LIMIT_PER_MIN="3") as client:
        left = [client.get(URL).headers["ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = client.get(URL)
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-limit"] == "3"
        assert client.get("/api/hub/status").status_code == 200
        other = client.get(URL, headers={"Authorization": f"Bearer {hub.add_user('reader')}"})
        assert (other.status_code, other.headers["ratelimit-remaining"]) == (200, "2")


def test_metrics_count_requests(client: Client) -> None:
    client.get(URL)
    client.get(URL)
    text = client.get("/metrics").text
    assert 'datahub_http_requests_total{path="/api/hub/ohlc",status="200"}' in text
    assert 'datahub_rows{dataset="ohlc"} 600.0' in text
    assert 'datahub_answer_cache_total{outcome="hot"}' in text
    assert httpx.Headers(client.get("/metrics").headers)["content-type"].startswith("text/plain; version=0.0.4")
