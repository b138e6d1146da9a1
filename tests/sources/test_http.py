"""One GET: what ends it, what its answer holds."""

import asyncio
import math
import time
from typing import Any

import pytest

from datahub_assets.domain.errors import SourceMalformed, SourceUnavailable
from datahub_assets.sources.http import Http, HttpReply
from tests.fakes import FakeBinance


def get(binance: FakeBinance, *, silence_timeout_s: float = 8, answer_timeout_s: float = 30) -> HttpReply:
    async def ask() -> HttpReply:
        async with Http(silence_timeout_s=silence_timeout_s, answer_timeout_s=answer_timeout_s) as http:
            return await http.get(f"{binance.url}/api/v3/time")

    return asyncio.run(ask())


@pytest.mark.parametrize("limits", [{"silence_timeout_s": 0.1}, {"answer_timeout_s": 0.1}])
@pytest.mark.parametrize(("kind", "details"), [("hanging", {}), ("slow", {"delay_s": 20})])
def test_an_answer_that_does_not_come_is_not_waited_for(
    *, binance: FakeBinance, kind: str, details: dict[str, Any], limits: dict[str, float]
) -> None:
    binance.fail(kind, **details)
    started = time.perf_counter()
    with pytest.raises(SourceUnavailable, match="did not answer in time"):
        get(binance, **limits)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(("most_bytes", "is_read"), [(28, True), (27, False)])
def test_an_answer_larger_than_the_bound_is_not_read(binance: FakeBinance, most_bytes: int, is_read: bool) -> None:
    async def ask() -> HttpReply:
        async with Http() as http:
            return await http.get(f"{binance.url}/api/v3/time", most_bytes=most_bytes)

    if is_read:
        assert len(asyncio.run(ask()).content) == most_bytes
    else:
        with pytest.raises(SourceMalformed, match="answered more than 27 bytes"):
            asyncio.run(ask())


def test_a_slow_answer_is_an_answer(binance: FakeBinance) -> None:
    binance.fail("slow", delay_s=0.2)
    assert get(binance).decoded() == {"serverTime": binance.clock.now_ms()}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": 2.67e-05}', {"a": 2.67e-05}),
        ("[1e400, -1e400]", [math.inf, -math.inf]),
        ("[Infinity]", [math.inf]),
        ("[123456789012345678901234567890]", [123456789012345678901234567890]),
        ('["\\ud800"]', ["\ud800"]),
        ("[]", []),
    ],
)
def test_json_is_read_leniently(body: str, value: object) -> None:
    assert HttpReply(host="h", status=200, headers={}, content=body.encode()).decoded() == value


def test_one_nan_does_not_cost_the_answer() -> None:
    decoded = HttpReply(host="h", status=200, headers={}, content=b'[{"p": NaN}, {"p": 1}]').decoded()
    assert isinstance(decoded, list)
    assert math.isnan(decoded[0]["p"])
    assert decoded[1] == {"p": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"  <html>no</html>", "answered HTML: <html>no"),
        (b"", "no valid JSON"),
        (b"[1,", "no valid JSON"),
        (b"\xff\xfe", "no valid JSON"),
        (b"[" * 100_000, "no valid JSON"),
        (b"1" * 5_000, "no valid JSON"),
    ],
)
def test_what_is_no_json_is_malformed(content: bytes, message: str) -> None:
    with pytest.raises(SourceMalformed, match=message):
        HttpReply(host="h", status=200, headers={}, content=content).decoded()
