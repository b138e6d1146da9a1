"""`python -m benchmarks.history.fill_process FROM TO INTERVAL PAIRS`: the product's fill, as its command works alone.

Settings come from the environment. Prints one line of JSON: rows, seconds, the peak of resident memory in each month
(MiB), and what went wrong.
"""

import json
import logging
import sys
import time
from pathlib import Path

from datahub_assets.datasets.candles.history import history_source
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.fill import filling
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.hub.account import hub_of
from datahub_assets.stores.publish.publisher import publish
from datahub_system.clock import now_ms

_NO_LIMITS = CommitLimits(publish_interval_s=1, commits_per_hour=100_000)
_LOG = logging.getLogger("benchmarks.history")


class _Peaks:
    """The peak of memory in each month: the kernel's high-water mark, begun anew with each (proc(5), clear_refs)."""

    def __init__(self) -> None:
        self.mb: list[float] = []
        self._month = ""

    def tell(self, now: filling.Progress) -> None:
        """Called often in between."""
        if now.doing not in {self._month, "waiting for a commit"}:
            self.close()
            self._month = now.doing

    def close(self) -> None:
        """A month is over."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
        if self._month:
            self.mb.append(int(status["VmHWM"].split()[0]) / 1024)
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def main() -> None:
    """Fill."""
    first, last, group, pairs = sys.argv[1:]
    settings = Settings.from_env()
    settings.home.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    peaks = _Peaks()
    with (
        Cache.open(settings.cache_path) as cache,
        history_source(settings, clock=now_ms, log=_LOG, beside_live=False) as source,
    ):
        hub = hub_of(settings, cache)
        fill = filling.Fill(
            wish=Wish(OHLC.name, first, last, (group,), tuple(pairs.split(","))),
            source=source,
            hub=hub,
            home=settings.home,
            log=_LOG,
            clock=now_ms,
            sleep=time.sleep,
            commit=lambda: publish(OHLC, cache=cache, hub=hub, limits=_NO_LIMITS, now_ms=now_ms(), log=_LOG),
            tell=peaks.tell,
        )
        filled = filling.run(fill)
        peaks.close()
    elapsed_s = time.perf_counter() - began
    faults = [str(line) for line in filled.bad] + [str(why) for why in filled.failed.values()]
    print(json.dumps({"rows": filled.rows, "elapsed_s": elapsed_s, "peaks_mb": peaks.mb, "faults": faults[:5]}))


if __name__ == "__main__":
    main()
