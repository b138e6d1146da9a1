"""When a commit becomes visible in the API, and which tick of which sensor it came from; nothing is started here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measuring.ask import ask
from benchmarks.measuring.load import get
from benchmarks.servers.fullstack import FullStack

PROBES: Final = {"market": "/api/hub/market?limit=1", "ohlc": "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=1"}
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """A revision of a dataset and the moment (epoch seconds) at which the API first answered from it."""

    dataset: str
    revision: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A sensor's evaluation that launched a run: when it fired, when its run began and ended (epoch s)."""

    dataset: str
    fired_s: float
    run_began_s: float
    run_ended_s: float | None


def watch(stack: FullStack, *, until: Callable[[list[Seen]], bool], timeout_s: float) -> list[Seen]:
    """Poll both datasets ten times a second until `until` holds for what was seen.

    Each dataset's first revision is noted too. Stops at `timeout_s` with what there is.
    """
    requests = {name: get(stack.server, path) for name, path in PROBES.items()}
    current: dict[str, str] = {}
    seen: list[Seen] = []
    deadline = time.monotonic() + timeout_s
    while not until(seen) and time.monotonic() < deadline:
        for name, request in requests.items():
            revision = ask(stack.server, request).headers.get("x-revision")
            if revision is not None and revision != current.get(name):
                current[name] = revision
                seen.append(Seen(name, revision, time.time()))
        time.sleep(_POLL_S)
    return seen


def ticks(home: Path, *, sensors: Mapping[str, str]) -> list[Tick]:
    """The ticks whose run has begun, as Dagster's own storage has them; `sensors`: name -> dataset."""
    from dagster import DagsterInstance  # noqa: PLC0415 - seconds of import that other benchmarks need not pay
    from dagster._core.definitions.run_request import InstigatorType  # noqa: PLC0415

    found = []
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            dataset = sensors.get(state.instigator_name)
            if dataset is None:
                continue
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id):
                for run_id in tick.run_ids:
                    record = instance.get_run_record_by_id(run_id)
                    if record is not None and record.start_time is not None:
                        found.append(Tick(dataset, tick.timestamp, record.start_time, record.end_time))
    return sorted(found, key=lambda tick: tick.run_began_s)


def latencies(seen: list[Seen], fired: list[Tick]) -> list[float]:
    """Seconds from a sensor's firing to the first answer from the commit of its run.

    Runs of a chain never overlap and commit before they end, so a revision belongs to the last run of its chain that
    began before the revision was seen. The first revision of each dataset, from before the watch, is left out.
    """
    firsts = {name: min(one.at_s for one in seen if one.dataset == name) for name in {one.dataset for one in seen}}
    found = []
    for one in seen:
        if one.at_s == firsts[one.dataset]:
            continue
        before = [tick for tick in fired if tick.dataset == one.dataset and tick.run_began_s < one.at_s]
        if before:
            found.append(one.at_s - before[-1].fired_s)
    return found
