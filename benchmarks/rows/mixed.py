"""Fifty clients that ask for everything at once: what a balancer and followers of the stream notice, and memory after.

The server is as users run it, over 3 M candles and two months of prices, while a commit comes every three seconds.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Final

from benchmarks.made import data
from benchmarks.measuring.ask import ask, body_of
from benchmarks.measuring.load import get, percentile
from benchmarks.measuring.results import Row, against, ours_at_most, ratio_at_most, spread
from benchmarks.measuring.rounds import Effort
from benchmarks.mixed.run import Mixed, mixed_load
from benchmarks.mixed.writer import price_history
from benchmarks.servers.hub import cached_layout, layout
from benchmarks.servers.product import Product, product
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET

_LOAD_S: Final = 60.0
_QUIET_S: Final = 120.0
_STATUS_MS: Final = 100
_EVENT_S: Final = 1.0
MEMORY_RATIO: Final = 1.3
_FIRST: Final = ("/api/hub/market?limit=1", "/api/hub/sql?q=SELECT+count(*)+FROM+ohlc+WHERE+symbol='SYM001USDT'")
"""Asked before anything is measured, so that what starts with the first question is there."""


def measure(effort: Effort) -> list[Row]:
    """Rows of what the probes noticed, of the clients' own waits, and of memory before and after."""
    del effort  # memory settles in minutes
    with served() as server:
        seen = mixed_load(server, duration_s=_LOAD_S, quiet_s=_QUIET_S, seed=1)
    return rows(seen)


def rows(seen: Mixed) -> list[Row]:
    """A row for each path a balancer asks, for events, for the clients' own waits, and for memory."""
    load = "50 mixed clients"
    asked = [
        _tail(f"{path} under {load}: p99", [1e3 * one for one in seconds], "ms", bound=_STATUS_MS)
        for path, seconds in seen.noticed.seconds.items()
    ]
    waits = [
        _tail(f"{kind} of {load}: p95", [1e3 * one for one in told.seconds], "ms", share=0.95)
        for kind, told in seen.seen.items()
        if told.seconds
    ]
    memory = against(
        f"anonymous memory of the API, two minutes after {load}",
        [seen.after_mb],
        peers={"before": [seen.before_mb]},
        unit="MiB",
        target=ratio_at_most(MEMORY_RATIO),
        less_is_better=True,
    )
    events = _tail(f"commit to event under {load}: p95", seen.events_s, "s", share=0.95, bound=_EVENT_S)
    return [*asked, events, memory, *waits]


def _tail(work: str, values: list[float], unit: str, *, share: float = 0.99, bound: float = math.inf) -> Row:
    """A row of the slowest answers; without a bound it is told for comparison only."""
    ours, target = percentile(values, share), ours_at_most(bound, unit)
    text = target.text if math.isfinite(bound) else "–"
    return Row(work, ours, None, "–", unit, None, text, target.reached(ours, None), spread(values))


@contextmanager
def served() -> Iterator[Product]:
    """A server of 3 M candles and two months of prices that has answered its first questions."""
    candles = cached_layout(data.FILES / "layout", lambda: layout(OHLC, data.frame()))
    with TemporaryDirectory(prefix="datahub-bench-") as name:
        folder = Path(name)
        with product(candles, OHLC, home=folder / "home", log=folder / "log") as server:
            _wait_for(server, server.hub.commit(MARKET, layout(MARKET, price_history())))
            for path in _FIRST:
                body_of(server.server, get(server.server, path))
            yield server


def _wait_for(server: Product, prices: str) -> None:
    """Wait until the commit of prices is served."""
    probe = get(server.server, "/api/hub/market?limit=1")
    while ask(server.server, probe).headers.get("x-revision") != prices:
        sleep(0.1)
