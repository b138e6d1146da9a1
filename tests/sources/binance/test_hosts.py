"""Falling over to another host of the exchange."""

from typing import Any

import pytest

from datahub_assets.domain.errors import SourceBlocked, SourceRateLimited, SourceUnavailable
from tests.fakes import FakeBinance
from tests.sources.binance.conftest import KLINES, Fetch, series
from tests.sources.conftest import NOW_MS, VirtualSleep


@pytest.fixture
def both(binance: FakeBinance, second_binance: FakeBinance) -> str:
    return f"{binance.url},{second_binance.url}"


@pytest.mark.parametrize("kind", ["region_blocked", "firewall", "html", "server_error", "dropped", "truncated"])
def test_a_host_that_gives_no_answer_is_left_for_the_next(
    *, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str, kind: str,
    caplog: pytest.LogCaptureFixture, sleep: VirtualSleep,
) -> None:  # fmt: skip
    binance.fail(kind, times=None)
    fetched = fetch(BINANCE_BASE_URLS=both)
    assert len(series(fetched)) == 6
    assert len(binance.requests) == 1
    assert len(second_binance.requests) == 7
    assert sleep.waits == []
    assert "asking Binance at 127.0.0.1:" in caplog.text


def test_an_unreachable_host_is_left_for_the_next(
    fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
) -> None:
    binance.stop()
    assert len(series(fetch(BINANCE_BASE_URLS=both))) == 6
    assert len(second_binance.requests) == 7


def test_the_host_that_worked_is_asked_first_from_then_on(
    fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
) -> None:
    binance.fail("region_blocked", times=None)
    fetch(BINANCE_BASE_URLS=both)
    fetch(BINANCE_BASE_URLS=both)
    assert len(binance.requests) == 1
    binance.recover()
    second_binance.fail("firewall", times=None)
    assert len(series(fetch(BINANCE_BASE_URLS=both))) == 6
    assert len(binance.requests) == 1 + 7


def test_a_host_that_fails_half_way_is_left_for_the_next(
    fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
) -> None:
    binance.fail("region_blocked", times=None, path=KLINES)
    fetched = fetch(BINANCE_BASE_URLS=both)
    assert len(series(fetched)) == 6
    assert fetched.failed == {}


def test_all_hosts_are_named_when_none_answers(
    fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
) -> None:
    binance.fail("region_blocked", times=None)
    second_binance.fail("firewall", times=None)
    with pytest.raises(SourceBlocked, match=r"no Binance host .* 451: .*; .* 403: "):
        fetch(BINANCE_BASE_URLS=both)
    second_binance.stop()
    with pytest.raises(SourceUnavailable, match=r"451: .*cannot be reached"):
        fetch(BINANCE_BASE_URLS=both)


@pytest.mark.parametrize("kind", ["rate_limited", "banned"])
def test_a_ban_is_not_dodged_through_another_host(
    *, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str, kind: str
) -> None:
    details: dict[str, Any] = {"retry_after_s": 60} if kind == "rate_limited" else {"until_ms": NOW_MS + 60_000}
    binance.fail(kind, **details)
    with pytest.raises(SourceRateLimited):
        fetch(BINANCE_BASE_URLS=both)
    assert len(binance.requests) == 1
    assert second_binance.requests == []
