"""From a sensor's firing to the first answer with what it brought, at default settings: while a fill runs, and without.

The fill is the command's, handed to the running product: twenty pairs by the minute, a year of them. One stack, first
without it.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.history import files
from benchmarks.history.archive_server import archive
from benchmarks.history.files import FULL, INTERVAL, TINY
from benchmarks.measuring.load import percentile
from benchmarks.measuring.results import Row, against, ratio_at_most
from benchmarks.measuring.rounds import FULL as FULL_EFFORT
from benchmarks.measuring.rounds import Effort
from benchmarks.measuring.watching import PROBES, Seen, latencies, ticks, watch
from benchmarks.rows.freshness import SENSORS
from benchmarks.servers.fullstack import FIRST_DATA_S, FullStack, full_stack
from benchmarks.servers.processes import stop

_PAIRS: Final = 30
_LATENCY_S: Final = 0.05
_PROGRAM: Final = str(Path(sys.executable).with_name("datahub"))


class FillEnded(Exception):
    """The fill ended before the ticks were watched, so that these say nothing of it."""


def measure(effort: Effort) -> list[Row]:
    """One row: the 95th percentile of both chains with the fill, against without."""
    size = FULL if effort is FULL_EFFORT else TINY
    folder = files.made(size)
    span = ["--from", str(size.all_months[0]), "--to", str(size.all_months[-1])]
    argv = [_PROGRAM, "history", "fill", *span, "--symbols", ",".join(size.symbols), "--intervals", INTERVAL]
    with (
        TemporaryDirectory(prefix="datahub-bench-") as name,
        archive(folder, log=Path(name) / "archive.log") as served,
        full_stack(pairs=_PAIRS, latency_s=_LATENCY_S, settings=served.settings) as stack,
        (Path(name) / "fill.log").open("wb") as log,
    ):
        without = _latencies(stack, effort.ticks)
        fill = subprocess.Popen(argv, env=stack.process.environ(), stdout=log, stderr=log)
        try:
            beside = _latencies(stack, effort.ticks)
            if fill.poll() is not None and effort is FULL_EFFORT:
                raise FillEnded((Path(name) / "fill.log").read_text(encoding="utf-8")[-1000:])
        finally:
            stop(fill)
    work = f"tick to visible in the API: p95 with a fill running ({len(beside)} ticks; median {_median(beside)} s)"
    peers = {f"without it (median {_median(without)} s)": [percentile(without, 0.95)]}
    ours = [percentile(beside, 0.95)]
    return [against(work, ours, peers=peers, unit="s", target=ratio_at_most(1.5), less_is_better=True)]


def _latencies(stack: FullStack, wanted: int) -> list[float]:
    enough = (wanted + 1) * len(PROBES)

    def until(seen: list[Seen]) -> bool:
        return len(seen) >= enough

    seen = watch(stack, until=until, timeout_s=FIRST_DATA_S + 60.0 * (wanted + 1))
    return latencies(seen, ticks(stack.home, sensors=SENSORS))


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):.1f}"
