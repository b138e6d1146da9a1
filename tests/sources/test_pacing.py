"""When to ask again: back-off, pauses kept by the process, and the weight budget by the exchange's minute."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.domain.times import DAY_MS, MINUTE_MS
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance.request_weight import WeightBudget
from datahub_assets.sources.http import HttpReply
from datahub_assets.sources.pauses import Pauses
from tests.fakes import Clock
from tests.sources.conftest import NOW_MS, VirtualSleep


@pytest.mark.parametrize(
    ("error", "waits_s"),
    [
        (SourceUnavailable("x"), [0.5, 1.0]),
        (SourceMalformed("x"), [0.5, 1.0]),
        (SourceRateLimited("x"), [0.5, 1.0]),
        (SourceRateLimited("x", retry_after_s=0), [0.5, 1.0]),
        (SourceRateLimited("x", retry_after_s=20), [20.5, 21.0]),
        (SourceRateLimited("x", retry_after_s=21), []),
        (SourceBlocked("x"), []),
        (SourceRejected("x"), []),
    ],
)
def test_what_is_tried_again_and_when(
    backoff: Backoff, sleep: VirtualSleep, error: SourceError, waits_s: list[float]
) -> None:
    tried = []

    async def action() -> None:
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        asyncio.run(backoff.run(action))
    assert sleep.waits == waits_s
    assert len(tried) == len(waits_s) + 1


@pytest.mark.parametrize(("chance", "wait_s"), [(0.0, 0.25), (0.5, 0.5), (1.0, 0.75)])
def test_pauses_are_jittered(chance: float, wait_s: float) -> None:
    backoff = Backoff(chance=lambda: chance)
    assert backoff.wait_s(SourceUnavailable("x"), attempt=1) == wait_s
    assert backoff.wait_s(SourceUnavailable("x"), attempt=3) == 4 * wait_s


def reply(status: int, *, headers: dict[str, str] | None = None, body: str = "{}") -> HttpReply:
    return HttpReply(host="h", status=status, headers=headers or {}, content=body.encode())


@pytest.mark.parametrize(
    ("headers", "body", "retry_after_s"),
    [
        ({}, "{}", None),
        ({"retry-after": "7"}, "{}", 7),
        ({"retry-after": " 0 "}, "{}", 0),
        ({"retry-after": "soon"}, "{}", None),
        ({"retry-after": "-5"}, "{}", None),
        ({"retry-after": "Sat, 22 Nov 2025 08:28:55 GMT"}, "{}", 120),
        ({"retry-after": "Sat, 22 Nov 2025 08:00:00 GMT"}, "{}", 0),
        ({"retry-after": "Sat, 22 Nov 2025 08:28:55"}, "{}", None),
        ({}, f'{{"msg": "IP banned until {NOW_MS + 5000}. Please"}}', 5),
        ({"retry-after": "60"}, f'{{"msg": "IP banned until {NOW_MS + 5000}. Please"}}', 60),
        ({"retry-after": "1"}, f'{{"msg": "IP banned until {NOW_MS + 5000}. Please"}}', 5),
        ({}, '{"msg": "IP banned until tomorrow"}', None),
    ],
)
@pytest.mark.parametrize("status", [429, 418])
def test_the_pause_an_upstream_asks_for(
    *, status: int, headers: dict[str, str], body: str, retry_after_s: float | None
) -> None:
    error = reply(status, headers=headers, body=body).refusal(now_ms=NOW_MS)
    assert isinstance(error, SourceRateLimited)
    assert error.retry_after_s == retry_after_s


def test_a_message_shows_one_short_line_of_the_body() -> None:
    error = reply(500, body="<p>\n\n  oh   no</p>" + "x" * 10_000).refusal(now_ms=NOW_MS)
    assert str(error).startswith("h answered 500: <p> oh no</p>xxx")
    assert len(str(error)) < 200


class TestPauses:
    def test_the_later_end_counts(self) -> None:
        pauses = Pauses()
        pauses.note("a", until_ms=NOW_MS + 10, now_ms=NOW_MS)
        pauses.note("a", until_ms=NOW_MS + 5, now_ms=NOW_MS)
        assert pauses.until_ms("a", now_ms=NOW_MS) == NOW_MS + 10
        assert pauses.until_ms("b", now_ms=NOW_MS) is None
        assert pauses.until_ms("a", now_ms=NOW_MS + 10) is None

    @pytest.mark.parametrize("not_before_ms", [0, 10**15])
    def test_no_upstream_can_silence_us_for_years(self, not_before_ms: int) -> None:
        pauses = Pauses()
        pauses.note("a", until_ms=10**15, now_ms=NOW_MS)
        with pytest.raises(SourceRateLimited) as caught:
            pauses.check("a", not_before_ms=not_before_ms, now_ms=NOW_MS)
        assert caught.value.retry_after_s == 3 * DAY_MS / 1000


class TestWeightBudget:
    """The clock stands five seconds before a minute."""

    @pytest.fixture
    def budget(self, clock: Clock, sleep: VirtualSleep) -> WeightBudget:
        return WeightBudget("Binance", clock=clock.now_ms, sleep=sleep, longest_wait_s=20)

    @staticmethod
    def ask(budget: WeightBudget, weight: int, *, told: Any = None) -> int:
        async def admitted() -> int:
            return await budget.admit(weight)

        minute = asyncio.run(admitted())
        budget.settle(minute, weight=weight, headers={} if told is None else {"x-mbx-used-weight-1m": str(told)})
        return minute

    def test_what_the_exchange_tells_counts(self, budget: WeightBudget, sleep: VirtualSleep) -> None:
        self.ask(budget, 2, told=5398)
        assert budget.used == 5398
        self.ask(budget, 2, told=5400)
        assert sleep.waits == []
        self.ask(budget, 2)
        assert sleep.waits == [5.5]
        assert budget.used == 0

    def test_requests_under_way_count(self, budget: WeightBudget, sleep: VirtualSleep) -> None:
        async def many() -> None:
            for _ in range(2700):
                await budget.admit(2)

        asyncio.run(many())
        assert sleep.waits == []
        for _ in range(2700):
            budget.settle(0, weight=2, headers={})
        self.ask(budget, 2)
        assert sleep.waits == []

    @pytest.mark.parametrize("told", ["", "many", "-1"])
    def test_a_header_that_tells_nothing_changes_nothing(self, budget: WeightBudget, told: str) -> None:
        self.ask(budget, 2, told=100)
        self.ask(budget, 2, told=told)
        assert budget.used == 100

    def test_an_answer_that_was_overtaken_changes_nothing(self, budget: WeightBudget, clock: Clock) -> None:
        self.ask(budget, 2, told=100)
        self.ask(budget, 2, told=98)
        assert budget.used == 100
        minute = asyncio.run(budget.admit(2))
        clock.advance(MINUTE_MS)
        self.ask(budget, 2, told=50)
        budget.settle(minute, weight=2, headers={"x-mbx-used-weight-1m": "5999"})
        assert budget.used == 50

    def test_minutes_are_the_exchanges(self, budget: WeightBudget, sleep: VirtualSleep) -> None:
        budget.set_exchange_clock(NOW_MS - 20_000)
        self.ask(budget, 2, told=6000)
        self.ask(budget, 2)
        assert sleep.waits == [25.5]

    def test_one_heavy_request_passes_when_nothing_else_does(self, budget: WeightBudget, sleep: VirtualSleep) -> None:
        budget.limit = 10
        self.ask(budget, 20)
        assert sleep.waits == []

    def test_a_long_pause_lets_nothing_pass(self, budget: WeightBudget, sleep: VirtualSleep, clock: Clock) -> None:
        budget.pause(until_ms=NOW_MS + 21_000)
        with pytest.raises(SourceRateLimited) as caught:
            self.ask(budget, 2)
        assert caught.value.retry_after_s == 21
        assert sleep.waits == []
        clock.advance(1_000)
        self.ask(budget, 2)
        assert sleep.waits == [20]


class Waits(Exception):
    """A request may not be made now."""


class Exchange:
    """One limit for all who ask; the counter is told to everybody, each by a budget of its own."""

    def __init__(self, clock: Clock, *, limit: int = 1200) -> None:
        self.clock, self.limit = clock, limit
        self.used: dict[int, int] = defaultdict(int)
        clock.advance(MINUTE_MS - clock.now_ms() % MINUTE_MS)

    def budget(self, *, left_to_live: int | None) -> WeightBudget:
        async def refuse(_seconds: float) -> None:
            raise Waits

        made = WeightBudget(
            "Binance", clock=self.clock.now_ms, sleep=refuse, longest_wait_s=20, left_to_live=left_to_live
        )
        made.limit = self.limit
        return made

    def asked(self, budget: WeightBudget) -> bool:
        """Whether a request of weight 2 could be made at once."""
        try:
            minute = asyncio.run(budget.admit(2))
        except Waits:
            return False
        self.used[minute] += 2
        budget.settle(minute, weight=2, headers={"x-mbx-used-weight-1m": str(self.used[minute])})
        return True


@pytest.mark.parametrize(("left_to_live", "share"), [(0, 0.95), (300, 0.65), (5000, 0.05)])
def test_what_can_wait_takes_what_is_not_left_to_others(clock: Clock, left_to_live: int, share: float) -> None:
    exchange = Exchange(clock)
    budget = exchange.budget(left_to_live=left_to_live)
    for _ in range(2):
        while exchange.asked(budget):
            pass
        clock.advance(MINUTE_MS)
    assert list(exchange.used.values()) == [share * exchange.limit] * 2


@pytest.mark.parametrize("second", [1, 29, 58])
@pytest.mark.parametrize("need", [100, 600])
def test_live_fetches_find_their_weight_whenever_they_come(clock: Clock, second: int, need: int) -> None:
    exchange = Exchange(clock)
    history, live = exchange.budget(left_to_live=need), exchange.budget(left_to_live=None)
    for _ in range(3):
        for now_s in range(60):
            if now_s == second:
                assert all(exchange.asked(live) for _ in range(need // 2))
            for _ in range(15):
                exchange.asked(history)
            clock.advance(1000)
    least, most = 0.9 * exchange.limit - need, 0.9 * exchange.limit
    assert all(least <= used <= most for used in exchange.used.values())


def test_what_can_wait_begins_a_minute_after_those_who_wait_too(clock: Clock, sleep: VirtualSleep) -> None:
    for left_to_live in (None, 0):
        budget = WeightBudget("Binance", clock=clock.now_ms, sleep=sleep, longest_wait_s=20, left_to_live=left_to_live)
        clock.advance(MINUTE_MS - clock.now_ms() % MINUTE_MS)
        TestWeightBudget.ask(budget, 2, told=6000)
        TestWeightBudget.ask(budget, 2)
    assert sleep.waits == [60.5, 62.5]
