"""Every way an upstream was seen to fail, at every request a tick makes of it: the next good tick catches up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.fakes.upstream import Upstream
from tests.faults.conftest import OpenWorld, Settle
from tests.faults.matrix import combinations
from tests.faults.world import MINUTE_MS, REASKED, SYMBOLS, World

BOUND_S = 30.0
"""A tick that asks an upstream that hangs must end long before; the silence allowed is cut to half a second here."""


@dataclass(frozen=True)
class Step:
    """The requests a fault meets."""

    upstream: Callable[[World], Upstream]
    path: str
    where: Mapping[str, str] = field(default_factory=dict)


STEPS = {
    "prices": Step(lambda world: world.coingecko, "/coins/markets"),
    "exchange time": Step(lambda world: world.binance, "/time"),
    "all candles": Step(lambda world: world.binance, "/klines"),
    "candles of a series": Step(lambda world: world.binance, "/klines", {"symbol": SYMBOLS[0], "interval": "1h"}),
    "gap": Step(lambda world: world.binance, "/klines", REASKED),
}
COMMON: dict[str, tuple[str, dict[str, Any]]] = {
    "429 with Retry-After": ("rate_limited", {"retry_after_s": 7}),
    "429 for minutes": ("rate_limited", {"retry_after_s": 119}),
    "429 without": ("rate_limited", {"retry_after_s": None}),
    "451": ("region_blocked", {}),
    "403 HTML": ("firewall", {}),
    "500": ("server_error", {"status": 500}),
    "502": ("server_error", {"status": 502}),
    "503": ("server_error", {"status": 503}),
    "truncated body": ("truncated", {}),
    "truncated to nothing": ("truncated", {"share": 0.0}),
    "cut JSON": ("cut_json", {}),
    "HTML for JSON": ("html", {}),
    "dropped connection": ("dropped", {}),
    "hanging": ("hanging", {}),
    "slow": ("slow", {"delay_s": 0.2}),
    "empty object": ("body", {"text": "{}"}),
    "empty list": ("body", {"text": "[]"}),
    "null": ("body", {"text": "null"}),
    "NaN alone": ("body", {"text": "NaN"}),
    "list of junk": ("body", {"text": '["\u00ff", 1, null, {}, []]'}),
}
OWN: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "prices": {"500 as its own": ("internal_error", {}), "404": ("not_found", {})},
    "exchange time": {"clock far ahead": ("body", {"text": '{"serverTime": 9999999999999}'})},
}
BANS: dict[str, tuple[str, dict[str, Any]]] = {
    "418 with Retry-After": ("banned", {"ban_ms": 120_000}),
    "418 without": ("banned", {"ban_ms": 90_000, "retry_after": False}),
}


def faults_of(step: str) -> dict[str, tuple[str, dict[str, Any]]]:
    bans = {} if step == "prices" else BANS
    return {**COMMON, **OWN.get(step, {}), **bans}


TAKEN_FOR_AN_ANSWER = ("empty list", "list of junk")
"""To a question about a gap these say that there is none; it is asked again an hour later."""


class Case(NamedTuple):
    """A fault that meets a step of the tick of a scene, once or all through the tick."""

    scene: str
    step: str
    fault: str
    lasting: str


QUICK = [
    Case("roll", "prices", "429 with Retry-After", "tick"),
    Case("roll", "prices", "truncated body", "once"),
    Case("roll", "all candles", "418 with Retry-After", "tick"),
    Case("roll", "candles of a series", "hanging", "tick"),
    Case("roll", "gap", "cut JSON", "tick"),
]
CASES = [
    *(
        Case("roll", step, fault, lasting)
        for step in STEPS
        for fault in faults_of(step)
        for lasting in ("once", "tick")
    ),
    *(Case("first", step, fault, "tick") for step in ("prices", "all candles") for fault in faults_of(step)),
]


@pytest.mark.parametrize("case", combinations(CASES, quick=QUICK))
def test_a_fault_of_upstream(open_world: OpenWorld, settle: Settle, case: Case) -> None:
    world = open_world(case.scene, hurry={"silence_s": 0.5})
    kind, details = faults_of(case.step)[case.fault]
    if kind == "banned":
        length_ms = details["ban_ms"]
        details = {name: value for name, value in details.items() if name != "ban_ms"}
        details["until_ms"] = world.clock.now_ms() + length_ms
    step = STEPS[case.step]
    times = 1 if case.lasting == "once" else None
    step.upstream(world).fail(kind, times=times, path=step.path, where=step.where, **details)
    began = time.monotonic()
    outcomes = world.tick()
    assert time.monotonic() - began < BOUND_S
    assert outcomes["ohlc" if case.step == "prices" else "market"].success, "the other chain's upstream is well"
    if case.fault in TAKEN_FOR_AN_ANSWER and case.step in {"gap", "all candles"}:
        world.health()
        world.clock.advance(61 * MINUTE_MS)
    settle(world)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["prices", "all candles"])
def test_an_upstream_that_refuses_connections(open_world: OpenWorld, settle: Settle, step: str) -> None:
    world = open_world("roll")
    upstream = STEPS[step].upstream(world)
    upstream.stop()
    outcomes = world.tick()
    assert [name for name, outcome in outcomes.items() if not outcome.success] == (
        ["market"] if step == "prices" else ["ohlc"]
    )
    upstream.start()
    settle(world)


@pytest.mark.parametrize("fault", ["region_blocked", "firewall", "dropped", "html"])
@pytest.mark.slow
def test_another_host_of_the_exchange_answers(open_world: OpenWorld, settle: Settle, fault: str) -> None:
    world = open_world("roll")
    world.variables["BINANCE_BASE_URLS"] = f"{world.binance.url},{world.other_binance.url}"
    world.binance.fail(fault, times=None)
    assert world.tick()["ohlc"].success
    settle(world)


@pytest.mark.parametrize("scene", ["first", pytest.param("roll", marks=pytest.mark.slow)])
def test_a_price_that_is_none(open_world: OpenWorld, settle: Settle, scene: str) -> None:
    world = open_world(scene)
    world.coingecko.set_coin("bitcoin", current_price=float("nan"))
    assert world.tick()["market"].success, "the other coins go on"
    assert world.quarantined("market") == 1
    world.coingecko.changes.clear()
    settle(world)


@pytest.mark.parametrize("bad", ["NaN", "-1", "", "1e999", "0"])
@pytest.mark.slow
def test_a_candle_that_is_none(open_world: OpenWorld, settle: Settle, bad: str) -> None:
    """A closed candle that fails its check leaves a gap, which heals once the exchange tells it rightly."""
    world = open_world("roll")
    symbol, closed = SYMBOLS[0], world.clock.now_ms() // 3_600_000 * 3_600_000 - 3_600_000
    kline = next(row for row in world.binance.reference(symbol, "1h", limit=5) if row[0] == closed)
    world.binance.set_kline(symbol, "1h", open_time=closed, kline=[*kline[:2], bad, *kline[3:]])
    assert world.tick()["ohlc"].success, "the other candles go on"
    assert world.quarantined("ohlc") == 1
    world.binance.listings[symbol].overrides.clear()
    settle(world)


def test_time_runs_on_while_the_exchange_answers(open_world: OpenWorld, settle: Settle) -> None:
    """A candle must not count as closed by a clock read after its numbers were."""
    world = open_world("plain")
    world.clock.stop(world.clock.now_ms() // 3_600_000 * 3_600_000 + 3_599_900)
    world.binance.fail("late_clock", by_ms=1_000, path="/klines")
    assert all(outcome.success for outcome in world.tick().values())
    settle(world)
