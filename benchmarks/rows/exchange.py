"""A tick of the whole exchange, 430 pairs × 3 intervals and 250 coins at 50 ms an answer, in the whole product."""

import time
from typing import Final

from benchmarks.measuring.accounting import cpu_s, peak_of_runs_mb
from benchmarks.measuring.results import Row, alone, ours_at_most
from benchmarks.measuring.rounds import Effort
from benchmarks.measuring.watching import PROBES, Seen, ticks, watch
from benchmarks.rows.fetch import LATENCY_S, PAIRS
from benchmarks.rows.freshness import SENSORS
from benchmarks.servers.fullstack import FIRST_DATA_S, FullStack, full_stack

_SETTINGS: Final = {"DATAHUB_SYMBOLS": "all:USDT", "DATAHUB_HISTORY_CANDLES": "200"}
"""The first fill is not what is measured, so it is kept short."""
_MINUTES: Final = 3
_CPU_SHARE: Final = 0.4


def measure(effort: Effort) -> list[Row]:
    """Three rows: wall time of both chains, CPU of everything in a minute, memory of the run processes."""
    del effort  # minutes are minutes
    with full_stack(pairs=PAIRS, latency_s=LATENCY_S, settings=_SETTINGS) as stack:
        watch(stack, until=_both_seen, timeout_s=FIRST_DATA_S)
        time.sleep(60)  # the tick after the first fill may still carry part of it
        began_s = time.time()
        with peak_of_runs_mb(stack.process) as peak:
            minutes = [_cpu_of_a_minute(stack) for _ in range(_MINUTES)]
        walls = _walls(stack, began_s=began_s, ended_s=time.time())
    work = f"a tick of {PAIRS} pairs × 3 intervals and 250 coins"
    return [
        alone(f"{work}: fired to finished", walls, unit="s", target=ours_at_most(15, "s")),
        alone(f"{work}: CPU of all processes", minutes, unit="s/min", target=ours_at_most(60 * _CPU_SHARE, "s/min")),
        alone(f"{work}: peak memory of the runs", peak, unit="MiB", target=ours_at_most(600, "MiB")),
    ]


def _both_seen(seen: list[Seen]) -> bool:
    return {one.dataset for one in seen} == set(PROBES)


def _cpu_of_a_minute(stack: FullStack) -> float:
    before = cpu_s(stack.process)
    time.sleep(60)
    return cpu_s(stack.process) - before


def _walls(stack: FullStack, *, began_s: float, ended_s: float) -> list[float]:
    """Seconds from a tick's firing to its run's end, the slower chain of each minute."""
    by_minute: dict[int, float] = {}
    for tick in ticks(stack.home, sensors=SENSORS):
        if tick.run_ended_s is not None and began_s < tick.fired_s and tick.run_ended_s < ended_s:
            minute = int(tick.fired_s // 60)
            by_minute[minute] = max(by_minute.get(minute, 0.0), tick.run_ended_s - tick.fired_s)
    return list(by_minute.values())
