"""The product for an hour at default settings: does memory grow, and does a tick stay visible in time.

Then the API under a mixed load: what others notice of it, and whether its memory is as before two minutes later.
"""

import json
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.environment import RESULTS
from benchmarks.measuring.accounting import RUNS, memory_mb, proportional
from benchmarks.measuring.results import Row, against, ratio_at_most
from benchmarks.measuring.rounds import FULL
from benchmarks.measuring.watching import latencies, ticks, watch
from benchmarks.rows import freshness, mixed
from benchmarks.servers.fullstack import FullStack, full_stack

_PAIRS: Final = 30
_LATENCY_S: Final = 0.05
_SAMPLE_S: Final = 10.0
_NO_GROWTH: Final = 1.05
"""The last sixth of the time may hold this many times the memory of the second sixth: noise, not growth."""
_PARTS: Final = 6

Sample = Mapping[str, float]


def soak(*, minutes: float) -> list[Row]:
    """Rows: tick to visible, memory by role at the end against after the first sixth, and the mixed load.

    Samples go to a file.
    """
    samples: list[Sample] = []
    with full_stack(pairs=_PAIRS, latency_s=_LATENCY_S, settings={}) as stack:
        done = threading.Event()
        thread = threading.Thread(target=_sample, args=(stack, samples, done), daemon=True)
        thread.start()
        seen = watch(stack, until=lambda _: False, timeout_s=minutes * 60)
        done.set()
        thread.join()
        values = latencies(seen, ticks(stack.home, sensors=freshness.SENSORS))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak-samples.json").write_text(json.dumps(samples), encoding="utf-8")
    return [*freshness.rows(values), *_memory_rows(samples), *mixed.measure(FULL)]


def _sample(stack: FullStack, samples: list[Sample], done: threading.Event) -> None:
    began_s = time.monotonic()
    while not done.wait(_SAMPLE_S):
        samples.append({"at_s": time.monotonic() - began_s, **memory_mb(stack.process, measure=proportional)})


def _memory_rows(samples: Sequence[Sample]) -> list[Row]:
    """A row per role and one for their sum; run processes live for seconds and cannot grow, so they are left out."""
    part = len(samples) // _PARTS
    early, late = samples[part : 2 * part], samples[-part:]
    names = sorted({name for sample in samples for name in sample} - {"at_s", RUNS})
    rows = [
        _memory_row(name, [one.get(name, 0.0) for one in early], [one.get(name, 0.0) for one in late]) for name in names
    ]
    return [*rows, _memory_row("all that stays", [_sum(one) for one in early], [_sum(one) for one in late])]


def _memory_row(name: str, early: Sequence[float], late: Sequence[float]) -> Row:
    return against(
        f"memory of {name}, end of the soak",
        late,
        peers={"after a sixth of it": [statistics.median(early)]},
        unit="MiB",
        target=ratio_at_most(_NO_GROWTH),
        less_is_better=True,
    )


def _sum(sample: Sample) -> float:
    return sum(value for name, value in sample.items() if name not in {"at_s", RUNS})
