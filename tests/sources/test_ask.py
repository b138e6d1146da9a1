"""One question to an upstream: retries, pauses, what is no list, and probes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from datahub_assets.domain.errors import SourceBlocked, SourceMalformed, SourceRateLimited, SourceUnavailable
from datahub_assets.sources.ask import JsonAnswer, ask_json, probe
from datahub_assets.sources.backoff import Backoff
from tests.fakes import Clock, FakeCoinGecko
from tests.sources.conftest import NOW_MS

COINS = "/coins/markets"


Ask = Callable[..., JsonAnswer]


@pytest.fixture
def ask(coingecko: FakeCoinGecko, clock: Clock, backoff: Backoff) -> Ask:
    wanted = {"vs_currency": "usd", "per_page": "2"}
    return partial(ask_json, coingecko.url + COINS, params=wanted, clock=clock.now_ms, backoff=backoff)


def test_an_answer_has_its_time_and_what_it_took(ask: Ask, coingecko: FakeCoinGecko) -> None:
    answer = ask()
    items: list[Any] = answer.items()
    assert [item["id"] for item in items] == list(coingecko.coins)[:2]
    assert (answer.now_ms, answer.requests) == (NOW_MS, 1)
    assert answer.elapsed_s > 0


def test_a_passing_failure_is_tried_again(ask: Ask, coingecko: FakeCoinGecko) -> None:
    coingecko.fail("server_error", times=2, status=503)
    assert ask().requests == 3


@pytest.mark.parametrize(
    ("kind", "error"), [("html", SourceMalformed), ("firewall", SourceBlocked), ("server_error", SourceUnavailable)]
)
def test_a_lasting_failure_is_a_typed_error(
    ask: Ask, coingecko: FakeCoinGecko, kind: str, error: type[Exception]
) -> None:
    coingecko.fail(kind, times=None)
    with pytest.raises(error):
        ask()


def test_nothing_is_asked_during_a_pause(ask: Ask, coingecko: FakeCoinGecko) -> None:
    with pytest.raises(SourceRateLimited, match="it is not asked before"):
        ask(not_before_ms=NOW_MS + 60_000)
    assert coingecko.requests == []


def test_what_is_no_list_has_no_items() -> None:
    with pytest.raises(SourceMalformed, match="no list but a dict"):
        JsonAnswer({}, now_ms=0, requests=1, elapsed_s=0.1).items()


def test_a_probe_says_how_long_it_took(coingecko: FakeCoinGecko) -> None:
    assert probe(f"{coingecko.url}/ping").startswith(f"{coingecko.url}/ping answers in 0.")


@pytest.mark.parametrize(("kind", "status"), [("firewall", 403), ("region_blocked", 451), ("server_error", 503)])
def test_a_probe_tells_any_other_status(coingecko: FakeCoinGecko, kind: str, status: int) -> None:
    coingecko.fail(kind, times=None)
    with pytest.raises(SourceUnavailable, match=rf"/ping answers HTTP {status}"):
        probe(f"{coingecko.url}/ping")


def test_a_probe_tells_that_nobody_answers(coingecko: FakeCoinGecko) -> None:
    coingecko.stop()
    with pytest.raises(SourceUnavailable, match="/ping: ConnectError"):
        probe(f"{coingecko.url}/ping")
    coingecko.start()
