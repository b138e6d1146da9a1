"""A request that is wrong is told what is wrong with it, and what would be right."""

import pytest

from tests.api.conftest import Client

BAD_REQUESTS = [
    ("/api/hub/market?symbls=BTC", 400, "unknown_parameter", "symbls", "symbols"),
    ("/api/hub/ohlc?symbol=BTCUSDT&intervall=1h", 400, "unknown_parameter", "intervall", "interval"),
    ("/api/hub/status?x=1", 400, "unknown_parameter", "x", ""),
    ("/api/hub/market?limit=0", 400, "invalid_parameter", "limit", "1 to 50000"),
    ("/api/hub/market?limit=50001", 400, "invalid_parameter", "50001", "1 to 50000"),
    ("/api/hub/market?limit=many", 400, "invalid_parameter", "limit", "int"),
    ("/api/hub/market?limit=-1", 400, "invalid_parameter", "-1", "1 to 50000"),
    ("/api/hub/market?limit=99999999999999999999999", 400, "invalid_parameter", "limit", ""),
    ("/api/hub/market?max_age=0", 400, "invalid_parameter", "max_age", "1 to"),
    ("/api/hub/market?symbols=NOPE", 404, "unknown_symbol", "NOPE", "BTC"),
    ("/api/hub/market?coin_ids=bitcoim", 404, "unknown_symbol", "bitcoim", "bitcoin"),
    ("/api/hub/market?symbols=%00", 404, "unknown_symbol", "symbols", "BTC"),
    ("/api/hub/ohlc", 400, "invalid_parameter", "symbol", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=,", 400, "invalid_parameter", "symbol", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSD", 404, "unknown_symbol", "BTCUSD", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSDT,NOPE", 404, "unknown_symbol", "NOPE", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSDT&interval=2h", 404, "unknown_interval", "2h", "1d, 1h, 4h"),
    ("/api/hub/ohlc?symbol=BTCUSDT&interval=../../x", 404, "unknown_interval", "../../x", "1h"),
    ("/api/hub/ohlc?symbol=BTCUSDT&order=up", 400, "invalid_parameter", "up", "asc, desc"),
    ("/api/hub/ohlc?symbol=BTCUSDT&columns=price", 400, "invalid_parameter", "price", "close_time"),
    ("/api/hub/ohlc?symbol=BTCUSDT&closed_only=perhaps", 400, "invalid_parameter", "closed_only='perhaps'", "bool"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=yesterday", 400, "invalid_parameter", "yesterday", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=2026-13-01", 400, "invalid_parameter", "2026-13-01", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=999999999999999", 400, "invalid_parameter", "start", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=0001-01-01T00:00:00%2B14:00", 400, "invalid_parameter", "start", "ISO"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=2026-02-01&end=2026-01-01", 400, "invalid_parameter", "end", "after start"),
    ("/api/hub/ohlc?symbol=BTCUSDT&format=xml", 400, "invalid_parameter", "xml", "ndjson"),
    ("/api/hub/ohlc?symbol=BTCUSDT&numbers=roman", 400, "invalid_parameter", "roman", "string"),
    ("/api/hub/ohlc?symbol=BTCUSDT&cursor=AAAA", 400, "invalid_cursor", "cursor", "Link"),
    ("/api/hub/ohlc?symbol=BTCUSDT&cursor=%F0%9F%92%A9", 400, "invalid_cursor", "cursor", "Link"),
    ("/api/hub/ohlc?symbol=BTCUSDT&revision=nope", 404, "revision_unknown", "nope", "branch"),
    ("/api/hub/ohlc?symbol=BTCUSDT&revision=" + "0" * 40, 404, "revision_unknown", "0" * 40, "commit"),
    ("/api/hub/ohlc?symbol=BTCUSDT&as_of=2001-01-01", 404, "revision_unknown", "ohlc", "/api/hub/revisions"),
    ("/api/hub/ohlc?symbol=BTCUSDT&as_of=2030-01-01&revision=main", 400, "invalid_parameter", "as_of", "not both"),
    ("/api/hub/dataset-info?dataset=nope", 404, "unknown_dataset", "nope", "market, ohlc"),
    ("/api/hub/revisions?dataset=nope", 404, "unknown_dataset", "nope", "market, ohlc"),
    ("/api/hub/revisions", 400, "invalid_parameter", "dataset", ""),
    ("/api/hub/revisions?dataset=ohlc&limit=1001", 400, "invalid_parameter", "1001", "1 to 1000"),
    ("/api/hub/diff?dataset=ohlc&from=nope", 404, "revision_unknown", "nope", "branch"),
    ("/api/hub/coverage?symbol=NOPE", 404, "unknown_symbol", "NOPE", "BTCUSDT"),
    ("/api/hub/coverage?interval=3d", 404, "unknown_interval", "3d", "1d, 1h, 4h"),
    ("/api/hub/coverage?dataset=market&interval=1h", 404, "unknown_interval", "1h", "no intervals"),
    ("/api/hub/nothing", 404, "not_found", "", ""),
]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/api/hub/ohlc?symbol=NOPE", 404),
        ("/api/hub/market?coin_ids=nope", 404),
        ("/api/hub/coverage?interval=9h", 404),
        ("/api/hub/revisions?dataset=nope", 404),
        ("/api/hub/sql?q=SELECT+nothing+FROM+ohlc", 400),
        ("/binance/api/v3/klines?symbol=BTCUSDT&interval=9h", 400),
    ],
)
@pytest.mark.parametrize("condition", ["*", '"other", *', "*, *", "W/*"])
def test_a_refusal_is_no_answer_that_a_caller_may_have_already(
    client: Client, url: str, status: int, condition: str
) -> None:
    assert client.get(url, headers={"If-None-Match": condition}).status_code == status


@pytest.mark.parametrize(
    "url",
    [
        "/api/hub/ohlc?symbol=BTCUSDT&revision={}",
        "/api/hub/ohlc?symbol={}",
        "/api/hub/market?columns={}",
        "/api/hub/coverage?symbol={}",
        "/api/hub/diff?dataset={}&from=main",
        "/api/hub/sql?q=SELECT+*+FROM+{}",
        "/binance/api/v3/{}",
        "/coingecko/api/v3/{}",
    ],
)
def test_a_token_in_the_wrong_place_is_not_repeated(client: Client, url: str) -> None:
    answer = client.get(url.format("hf_AbcDefGhiJklMnoPqr"))
    assert answer.status_code >= 400
    assert "abcdefghi" not in answer.text.lower()


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=lambda case: case[0])
def test_a_bad_request_is_named_and_what_is_valid_is_listed(
    client: Client, case: tuple[str, int, str, str, str]
) -> None:
    url, status, code, names, lists = case
    answer = client.get(url)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/errors#{code}"
    assert names in problem["detail"]
    assert lists in problem["detail"]
    assert answer.headers["cache-control"] == "no-store"
