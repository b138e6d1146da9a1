"""A Hub that takes connections and answers nothing, as a stopped process does: ticks go on fetching meanwhile."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs import error_mapping
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import http
from datahub_assets.stores.publish import retries
from tests.defs.conftest import Bench
from tests.localhub.process import HubProcess

SILENCE_S = 1.0
MINUTE_MS = 60_000
COINS = 20


@pytest.fixture
def process(tmp_path: Path) -> Iterator[HubProcess]:
    with HubProcess(tmp_path / "hub") as running:
        yield running
        os.kill(running.pid, signal.SIGCONT)


@pytest.fixture
def stopping(bench: Bench, process: HubProcess, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The chains, working for that Hub, with a shorter patience."""
    monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", SILENCE_S)
    monkeypatch.setattr(retries, "PROMPT_S", SILENCE_S / 2)
    monkeypatch.setattr(error_mapping, "FIRST_WAIT_S", 0.01)
    settings = bench.datahub.settings.model_copy(
        update={"hf_token": SecretStr(process.token), "hf_endpoint": process.url}
    )
    return replace(bench, datahub=replace(bench.datahub, settings=settings))


@pytest.fixture
def silences(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests to the Hub that were given up for want of an answer, as they come."""
    given_up: list[str] = []
    real_send = httpx2.Client.send

    def send(client: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            return real_send(client, request, **options)
        except httpx2.TimeoutException:
            given_up.append(f"{request.method} {request.url.path}")
            raise

    monkeypatch.setattr(httpx2.Client, "send", send)
    return given_up


def waiting(bench: Bench) -> int:
    with Cache.open(bench.datahub.settings.cache_path) as cache:
        return cache.waiting(MARKET)


@pytest.mark.parametrize("ticks_before", [0, 1], ids=["from the first request on", "after a commit"])
def test_a_run_waits_once_the_next_fetches_and_all_goes_out_in_one_commit(
    stopping: Bench, process: HubProcess, silences: list[str], ticks_before: int
) -> None:
    for _ in range(ticks_before):
        assert stopping.run(MARKET).success
        stopping.clock.advance(MINUTE_MS)
    assert ticks_before == 0 or stopping.run(MARKET).success
    stopping.clock.advance(MINUTE_MS)

    os.kill(process.pid, signal.SIGSTOP)
    for tick in (1, 2, 3):
        result = stopping.run(MARKET)
        assert not result.success
        assert "Timeout" in stopping.status(MARKET)["last_error"]["message"]
        assert len(silences) == tick, "one silence, and no retry of it"
        assert not [event for event in result.all_events if event.is_step_up_for_retry]
        assert waiting(stopping) == tick * COINS, "each tick fetched"
        stopping.clock.advance(MINUTE_MS)

    os.kill(process.pid, signal.SIGCONT)
    assert stopping.run(MARKET).success
    with Cache.open(stopping.datahub.settings.cache_path) as cache:
        assert cache.waiting(MARKET) == 0
        known = cache.repo(MARKET).load()
        commits = cache.database.scalar("SELECT count(*) FROM commits")
    assert known is not None
    assert known.rows == (2 * ticks_before + 4) * COINS
    assert commits == 2 * ticks_before + 1, "all that waited went out in one"
