"""Every way an upstream was seen to fail, at every request a tick makes of it: the next good tick catches up."""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pytest

from tests.faults.conftest import OpenWorld, Settle
from tests.faults.matrix import combinations
from tests.faults.subjects import GROUPS, SUBJECTS
from tests.faults.subjects.candles import SYMBOLS
from tests.faults.subjects.subject import Step
from tests.faults.world import MINUTE_MS

BOUND_S = 30.0
"""A tick that asks an upstream that hangs must end long before; the silence allowed is cut to half a second here."""

Fault = tuple[str, dict[str, Any]]
"""A fault of a fake and its details."""
COMMON: Final[dict[str, Fault]] = {
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
_BANS: Final[dict[str, Fault]] = {
    "418 with Retry-After": ("banned", {"ban_ms": 120_000}),
    "418 without": ("banned", {"ban_ms": 90_000, "retry_after": False}),
}
OF_UPSTREAM: Final[dict[str, dict[str, Fault]]] = {
    "coingecko": {"500 as its own": ("internal_error", {}), "404": ("not_found", {})},
    "binance": _BANS,
    "feeds": {
        "DOCTYPE": ("doctype", {}),
        "entity bomb": ("bomb", {}),
        "50 MB": ("huge", {}),
        "wrong encoding": ("wrong_encoding", {}),
        "undated items": ("undated", {}),
        "links that are none": ("unlinked", {}),
        "404": ("html", {"status": 404}),
        "moved to another host": ("moved", {"location": "https://elsewhere.example/rss"}),
    },
    "ethereum": {
        "error within 200": ("rpc_error", {}),
        "busy within 200": ("rpc_error", {"code": -32005, "message": "limit exceeded"}),
        "refused as a batch": ("rpc_error", {"code": -32600, "message": "batches are refused"}),
        "no such method": ("rpc_error", {"code": -32601, "message": "the method does not exist"}),
        "nothing": ("null_result", {}),
        "answer to another call": ("other_call", {}),
    },
    "bitcoin": {"404": ("html", {"status": 404}), "text": ("body", {"text": "Block not found", "status": 404})},
}
"""Faults that only one upstream has."""
OF_STEP: Final[dict[str, dict[str, Fault]]] = {
    "exchange time": {"clock far ahead": ("body", {"text": '{"serverTime": 9999999999999}'})},
}


def faults_of(name: str, step: Step) -> Mapping[str, Fault]:
    """All faults that a step may meet."""
    return {**COMMON, **OF_UPSTREAM.get(step.upstream, {}), **OF_STEP.get(name, {})}


TAKEN_FOR_AN_ANSWER = ("empty list", "list of junk")
"""To a question about a gap these say that there is none; it is asked again an hour later."""


class Case(NamedTuple):
    """A fault that meets a step of the tick of a group in a scene, once or all through the tick."""

    group: str
    scene: str
    step: str
    fault: str
    lasting: str


STEPS = {
    group: {step: at for name in names for step, at in SUBJECTS[name].steps.items()} for group, names in GROUPS.items()
}
QUICK = [
    Case("prices", "roll", "prices", "429 with Retry-After", "tick"),
    Case("prices", "roll", "prices", "truncated body", "once"),
    Case("prices", "roll", "all candles", "418 with Retry-After", "tick"),
    Case("prices", "roll", "candles of a series", "hanging", "tick"),
    Case("prices", "roll", "gap", "cut JSON", "tick"),
    Case("listings", "roll", "pairs", "truncated body", "tick"),
    Case("news", "roll", "a feed", "entity bomb", "tick"),
    Case("chains", "roll", "blocks of Ethereum", "error within 200", "tick"),
]
CASES = [
    Case(group, scene, step, fault, lasting)
    for group, steps in STEPS.items()
    for step, at in steps.items()
    for scene, lasting in (("roll", "once"), ("roll", "tick"), ("first", "tick"))
    if not (scene == "first" and (step in {"gap", "candles of a series"} or (group, step) == ("news", "prices")))
    for fault in faults_of(step, at)
]


@pytest.mark.parametrize("case", combinations(CASES, quick=QUICK))
def test_a_fault_of_upstream(open_world: OpenWorld, settle: Settle, case: Case) -> None:
    world = open_world(case.scene, group=case.group, hurry={"silence_s": 0.5})
    step = STEPS[case.group][case.step]
    kind, details = faults_of(case.step, step)[case.fault]
    if kind == "banned":
        length_ms = details["ban_ms"]
        details = {name: value for name, value in details.items() if name != "ban_ms"}
        details["until_ms"] = world.clock.now_ms() + length_ms
    times = 1 if case.lasting == "once" else None
    upstream = world.upstreams[step.upstream]
    upstream.fail(kind, times=times, path=step.path, where=step.where, **details)
    began = time.monotonic()
    outcomes = world.tick()
    assert time.monotonic() - began < BOUND_S
    assert upstream.faults.used, "the fault met no request"
    for name, outcome in outcomes.items():
        assert outcome.success or case.step in SUBJECTS[name].steps, f"{name} does not ask that"
    if case.fault in TAKEN_FOR_AN_ANSWER and case.step in {"gap", "all candles"}:
        world.health()
        world.clock.advance(61 * MINUTE_MS)
    settle(world)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["prices", "all candles"])
def test_an_upstream_that_refuses_connections(open_world: OpenWorld, settle: Settle, step: str) -> None:
    world = open_world("roll")
    upstream = world.upstreams[STEPS["prices"][step].upstream]
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
