"""From a sensor's firing to the first answer with what it brought: the whole product at its default settings."""

import statistics
from typing import Final

from benchmarks.measuring.load import percentile
from benchmarks.measuring.results import Row, spread
from benchmarks.measuring.rounds import Effort
from benchmarks.measuring.watching import PROBES, Seen, latencies, ticks, watch
from benchmarks.servers.fullstack import FIRST_DATA_S, full_stack
from datahub_assets.datasets.registry import DATASETS

SENSORS: Final = {f"{spec.source_asset}_sensor": name for name, spec in DATASETS.items()}
P50_S: Final = 6.0
P95_S: Final = 10.0

_SPECIFIED_S: Final = 60.0
_PAIRS: Final = 30
_LATENCY_S: Final = 0.05


def measure(effort: Effort) -> list[Row]:
    """Two rows: median and 95th percentile over both chains."""
    with full_stack(pairs=_PAIRS, latency_s=_LATENCY_S, settings={}) as stack:
        enough = (effort.ticks + 1) * len(PROBES)
        timeout_s = FIRST_DATA_S + 60.0 * (effort.ticks + 1)

        def until(seen: list[Seen]) -> bool:
            return len(seen) >= enough

        seen = watch(stack, until=until, timeout_s=timeout_s)
        values = latencies(seen, ticks(stack.home, sensors=SENSORS))
    return rows(values)


def rows(values: list[float]) -> list[Row]:
    """The two rows of these latencies (seconds)."""
    work = "tick to visible in the API, full stack, default settings"
    return [
        _row(f"{work}: p50", statistics.median(values), values, bound_s=P50_S),
        _row(f"{work}: p95", percentile(values, 0.95), values, bound_s=P95_S),
    ]


def _row(work: str, ours: float, values: list[float], *, bound_s: float) -> Row:
    return Row(
        work=work,
        ours=ours,
        peer=_SPECIFIED_S,
        peer_name="the specification's 60 s",
        unit="s",
        ratio=ours / _SPECIFIED_S,
        target=f"≤ {bound_s:g} s",
        met=ours <= bound_s,
        spread=spread(values),
    )
