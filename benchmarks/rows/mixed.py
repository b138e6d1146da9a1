"""Fifty clients that ask for everything at once: what a balancer and the followers of a stream notice, and memory after.

The server is as users run it, over 3 M candles and a year of prices, while a commit comes every three seconds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Final

from benchmarks import data
from benchmarks.ask import ask, body_of
from benchmarks.hub import cached_layout, layout
from benchmarks.load import get, percentile
from benchmarks.mixed.probes import ASKED
from benchmarks.mixed.run import Mixed, mixed_load
from benchmarks.mixed.writer import price_history
from benchmarks.product import Product, product
from benchmarks.results import Row, alone, ours_at_most, ratio_at_most
from benchmarks.rounds import Effort
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET

_LOAD_S: Final = 60.0
_QUIET_S: Final = 120.0
_STATUS_MS: Final = 100
_EVENT_S: Final = 1.0
_MEMORY: Final = 1.3
_FIRST: Final = ("/api/hub/market?limit=1", "/api/hub/sql?q=SELECT+count(*)+FROM+ohlc+WHERE+symbol='SYM001USDT'")
"""Asked before anything is measured, so that what starts with the first question is there."""


def measure(effort: Effort) -> list[Row]:
    """Rows of what the probes noticed, of the clients' own waits, and of memory before and after."""
    del effort  # memory settles in minutes
    with served() as server:
        seen = mixed_load(server, duration_s=_LOAD_S, quiet_s=_QUIET_S, seed=1)
    return rows(seen)


@contextmanager
def served() -> Iterator[Product]:
    """A server of 3 M candles and a year of prices that has answered its first questions."""
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
