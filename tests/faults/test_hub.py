"""Every way a Hub was seen to fail, at every request a publish makes of it: rows wait, and go out once."""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from localhub.faults import Faults
from tests.faults.conftest import OpenWorld, Settle
from tests.faults.matrix import combinations
from tests.faults.subjects import SUBJECTS
from tests.faults.world import World

BOUND_S = 60.0
HANGS_S = 1.5
"""How long a Hub that hangs does so; requests are given up after a third of it here."""
STEPS = {
    "whoami": "GET /api/whoami-v2",
    "head": "GET /api/datasets/local/{repo}/revision/",
    "create": "POST /api/repos/create",
    "tree": "GET /api/datasets/local/{repo}/tree/",
    "sealed file": r"GET /datasets/local/{repo}/resolve/.*/\d{{4}}(-\d\d)?\.parquet",
    "card check": "POST /api/validate-yaml",
    "preupload": "POST /api/datasets/local/{repo}/preupload/",
    "lfs batch": "POST /datasets/local/{repo}.git/info/lfs/objects/batch",
    "lfs upload": "PUT /lfs/",
    "commit": "POST /api/datasets/local/{repo}/commit/",
}
"""The requests of a publish, by what they are for; a regular expression each."""
CREATING = ("whoami", "head", "create", "tree")
"""Steps of the first publish ever, and of none after it."""

Order = Callable[[Faults, str, float], None]


def answered(status: int, error: str) -> Order:
    return lambda faults, on, times: faults.answer(status, error=error, on=on, times=times)


FAULTS: dict[str, Order] = {
    "429": lambda faults, on, times: faults.rate_limit(retry_after_s=20, on=on, times=times),
    "429 without Retry-After": answered(429, "Too Many Requests"),
    "500": answered(500, "Internal Error"),
    "503": answered(503, "Service Unavailable"),
    "401": answered(401, "Invalid username or password."),
    "403": answered(403, "Forbidden"),
    "slow": lambda faults, on, times: faults.slow(0.1, on=on, times=times),
    "hanging": lambda faults, on, times: faults.slow(HANGS_S, on=on, times=min(times, 3)),
    "dropped before": lambda faults, on, times: faults.drop_before(on=on, times=times),
    "dropped after": lambda faults, on, times: faults.drop_after(on=on, times=times),
    "cut answer": lambda faults, on, times: faults.drop_within(after_bytes=10, on=on, times=times),
}
COMMIT_FAULTS: dict[str, Order] = {
    "409": lambda faults, _, times: faults.conflict_on_commit(times=times),
    "412 by another writer": lambda faults, _, times: faults.race_commit(times=times),
    "500 after it landed": lambda faults, _, times: faults.fail_after_commit(times=times),
    "503 after it landed": lambda faults, _, times: faults.fail_after_commit(status=503, times=times),
}


class Case(NamedTuple):
    """A fault that meets a request of the publish of a dataset in a group, once or all through the tick."""

    group: str
    dataset: str
    step: str
    fault: str
    lasting: str


QUICK = [
    Case("prices", "market", "commit", "500 after it landed", "tick"),
    Case("prices", "ohlc", "commit", "412 by another writer", "once"),
    Case("prices", "ohlc", "commit", "429", "tick"),
    Case("prices", "ohlc", "lfs upload", "dropped after", "tick"),
    Case("prices", "ohlc", "tree", "hanging", "tick"),
    Case("news", "news", "sealed file", "503", "tick"),
    Case("chains", "network", "commit", "503 after it landed", "tick"),
]
PUBLISHED = (
    *(("prices", "market"), ("prices", "ohlc"), ("listings", "listings"), ("news", "news")),
    *(("chains", "blocks"), ("chains", "network")),
)
"""Each dataset once, with the group it is published in."""


def cases() -> list[Case]:
    """Every fault of every step, of each dataset, once and lasting, where that step is taken."""
    steps = [(step, fault) for step in STEPS for fault in {**FAULTS, **(COMMIT_FAULTS if step == "commit" else {})}]
    return [
        Case(group, name, step, fault, lasting)
        for group, name in PUBLISHED
        for step, fault in steps
        for lasting in ("once", "tick")
        if step != "sealed file" or SUBJECTS[name].has_sealed
    ]


@pytest.mark.parametrize("case", combinations(cases(), quick=QUICK))
def test_a_fault_of_the_hub(open_world: OpenWorld, settle: Settle, case: Case) -> None:
    scene = "first" if case.step in CREATING else "roll"
    world = open_world(scene, group=case.group, hurry={"request_s": HANGS_S / 3})
    spec = world.spec(case.dataset)
    pattern = STEPS[case.step].format(repo=re.escape(spec.repo_name))
    if "/local/" not in pattern:
        for other in world.datasets[: world.datasets.index(case.dataset)]:  # so that their requests are over
            world.chains.run_job(world.spec(other))
            world.forget_account()
    {**FAULTS, **COMMIT_FAULTS}[case.fault](world.hub.faults, pattern, 1 if case.lasting == "once" else 1000)
    world.hub.faults.seen.clear()
    began = time.monotonic()
    world.chains.run_job(spec)
    assert time.monotonic() - began < BOUND_S
    assert any(re.search(pattern, request) for request in world.hub.faults.seen), "the fault met no request"
    settle(world)


@pytest.mark.parametrize("ticks", [1, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("group", ["prices", pytest.param("chains", marks=pytest.mark.slow)])
def test_a_hub_that_is_down(open_world: OpenWorld, settle: Settle, group: str, ticks: int) -> None:
    """Rows wait, through the roll of hour and day if need be, and then go out in one commit a dataset."""
    world = open_world("plain", group=group)
    before = commits(world)
    world.hub.stop()
    for _ in range(ticks):
        world.clock.advance(90_000)
        assert not any(outcome.success for outcome in world.light_tick().values())
    world.hub.start()
    settle(world)
    assert {name: count - before[name] for name, count in commits(world).items()} == dict.fromkeys(world.datasets, 1)


def commits(world: World) -> dict[str, int]:
    return {name: len(world.history(name)) for name in world.datasets}
