"""A new commit on the Hub: how long until an answer comes from it, whatever the history weighs.

It commits, so it comes after the rows that compare answers with the peers'.
"""

import time
from collections.abc import Callable
from itertools import count
from typing import Final

import polars as pl

from benchmarks.made import data
from benchmarks.measuring.ask import ask
from benchmarks.measuring.load import get
from benchmarks.measuring.results import Row, against, ours_at_most, ratio_at_most
from benchmarks.measuring.rounds import Effort, alternate
from benchmarks.peers.roapi import roapi
from benchmarks.servers.hub import layout
from benchmarks.servers.product import PROBE, Product, product
from benchmarks.servers.world import World
from datahub_assets.datasets.candles.spec import OHLC

_OPEN: Final = "data/1h/open.parquet"
_DEADLINE_S: Final = 30.0
_LARGE: Final = "3 M rows"
_SMALL: Final = "the same with 100 k rows"
_RELOADS: Final = 3


class NotServed(Exception):
    """The API did not answer from the new commit in time."""


def measure(world: World, effort: Effort) -> list[Row]:
    """Two rows: seconds from commit to answer against loading everything anew, and against a small history."""
    home = world.folder / "small"
    home.mkdir()
    with product(layout(OHLC, data.small_frame()), OHLC, home=home, log=world.log) as small:
        seen = alternate(
            {_LARGE: _served_after(world.product, data.frame()), _SMALL: _served_after(small, data.small_frame())},
            rounds=effort.commits,
        )
    reloads = [_reload(world) for _ in range(_RELOADS)]
    peers = {"a full reload (ROAPI, started anew)": reloads}
    work = "new commit to first answer from it"
    small_seen = {_SMALL: seen[_SMALL]}
    limit, flat = ours_at_most(1, "s"), ratio_at_most(1.2)
    return [
        against(f"{work}, 3 M rows", seen[_LARGE], peers=peers, unit="s", target=limit, less_is_better=True),
        against(
            f"{work}, by history",
            seen[_LARGE],
            peers=small_seen,
            unit="s",
            target=flat,
            less_is_better=True,
        ),
    ]


def _served_after(one: Product, frame: pl.DataFrame) -> Callable[[int], float]:
    """Seconds from asking the Hub for a commit of one changed live file until the API answers from that commit."""
    steps = count(1)
    probe = get(one.server, PROBE)

    def measure(_: int) -> float:
        moved = frame.filter(~pl.col("closed")).with_columns(pl.col("close") * (1 + next(steps) * 1e-4))
        changed = {_OPEN: layout(OHLC, moved)[_OPEN]}
        started = time.perf_counter()
        commit = one.hub.commit(OHLC, changed)
        while commit not in ask(one.server, probe).headers.get("x-revision", ""):
            if time.perf_counter() - started > _DEADLINE_S:
                raise NotServed(f"no answer from {commit} within {_DEADLINE_S:g} s")
            time.sleep(0.001)
        return time.perf_counter() - started

    return measure


def _reload(world: World) -> float:
    """Seconds from starting ROAPI on the same rows until it answers: it serves new rows only after that."""
    started = time.perf_counter()
    with roapi(log=world.log):
        return time.perf_counter() - started
