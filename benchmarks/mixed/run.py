"""A mixed load on one server: clients and probes in processes of their own, and a writer that commits meanwhile."""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring.accounting import anonymous_mb
from benchmarks.mixed.clients import Seen, run_clients
from benchmarks.mixed.probes import Noticed, run_probes
from benchmarks.mixed.writer import Committed, commits
from benchmarks.servers.product import Product
from datahub_assets.datasets.candles.spec import OHLC

_AFTER_S: Final = 10.0
"""How much longer the probes look than the clients ask: events may come late."""
_SAMPLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Mixed:
    """What a mixed load came to.

    Attributes:
        seen: by kind of clients.        noticed: what the probes saw meanwhile.
        events_s: seconds from a commit's end to its event, of each stream and commit.
        before_mb, peak_mb, after_mb: memory of the server before the load, at most, and when all was quiet again (MiB).
    """

    seen: dict[str, Seen]
    noticed: Noticed
    events_s: list[float]
    before_mb: float
    peak_mb: float
    after_mb: float


def mixed_load(product: Product, *, duration_s: float, quiet_s: float, seed: int) -> Mixed:
    """Put the load on a server of candles and prices, then leave it in peace for `quiet_s`."""
    since = product.hub.head(OHLC)
    before_mb = anonymous_mb(product.process)
    committed: Committed = {}
    peak_mb, done = [before_mb], threading.Event()
    beside = [
        threading.Thread(target=commits, args=(product, committed, done)),
        threading.Thread(target=_watch_memory, args=(product, peak_mb, done)),
    ]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        probes = processes.submit(run_probes, product.server, duration_s=duration_s + _AFTER_S)
        clients = processes.submit(run_clients, product.server, since=since, duration_s=duration_s, seed=seed)
        for thread in beside:
            thread.start()
        try:
            seen = clients.result()
        finally:
            done.set()
            for thread in beside:
                thread.join()
        noticed = probes.result()
    time.sleep(quiet_s)
    events_s = [at_s - committed[sha] for told in noticed.told.values() for sha, at_s in told if sha in committed]
    return Mixed(seen, noticed, events_s, before_mb, max(peak_mb), anonymous_mb(product.process))


def _watch_memory(product: Product, samples_mb: list[float], done: threading.Event) -> None:
    while not done.wait(_SAMPLE_S):
        samples_mb.append(anonymous_mb(product.process))
