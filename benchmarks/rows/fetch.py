"""Fetching the newest candles of a whole exchange, 430 pairs in three intervals, against sequential ccxt.

Both ask the same loopback exchange, 50 ms an answer, for the same candles: each series' current one and the one before,
to which trades may still have been booked. Ours asks some series for more, as every tick does, to find corrections;
that counts for nothing but its time.
"""

import json
import logging
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import polars as pl

from benchmarks.environment import HERE, program, quiet_environment
from benchmarks.made.candles import INTERVALS
from benchmarks.measuring.results import Row, against, ratio_at_least
from benchmarks.measuring.rounds import Effort
from benchmarks.servers.upstreams import Upstreams, upstreams
from datahub_assets.datasets.candles.client import fetch_candles
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.settings import Settings
from datahub_system.clock import now_ms

PAIRS: Final = 430
LATENCY_S: Final = 0.05

_ROUNDS: Final = 3
_PEER: Final = "sequential ccxt"
_SERIES: Final = PAIRS * len(INTERVALS)


class NotTheSame(Exception):
    """The two sides did not fetch the same two candles of every series each."""


def measure(effort: Effort) -> list[Row]:
    """One row: series a second."""
    del effort  # a round of ccxt takes more than a minute: a few are enough
    ours: list[float] = []
    theirs: list[float] = []
    with (
        TemporaryDirectory(prefix="datahub-bench-") as name,
        upstreams(pairs=PAIRS, latency_s=LATENCY_S, folder=Path(name)) as there,
    ):
        while len(ours) < _ROUNDS:
            starts = _current_opens()
            round_of_both = _ours(there, starts), _ccxt(there, starts)
            if _current_opens() == starts:  # else a candle closed in between, and one side had more to fetch
                ours.append(round_of_both[0])
                theirs.append(round_of_both[1])
    work = f"newest candles of {PAIRS} pairs × 3 intervals fetched, upstream at 50 ms"
    return [against(work, ours, peers={_PEER: theirs}, unit="series/s", target=ratio_at_least(10))]


def _current_opens() -> dict[str, int]:
    at_ms = now_ms()
    return {name: interval(name).floor(at_ms) for name in INTERVALS}


def _ours(there: Upstreams, starts: dict[str, int]) -> float:
    settings = Settings.from_env({**there.settings, "DATAHUB_SYMBOLS": "all:USDT"})
    listed = httpx.get(f"{there.binance}/api/v3/exchangeInfo", trust_env=False).json()["symbols"]
    symbols = [one["symbol"] for one in listed if one["quoteAsset"] == "USDT" and one["status"] == "TRADING"]
    fetched = fetch_candles(
        settings.of(CandleSettings),
        tick_s=settings.tick_s,
        last_open_times={(symbol, name): start for symbol in symbols for name, start in starts.items()},
        rechecks={},  # as many have their turn as in any tick
        clock=now_ms,
        log=logging.getLogger("benchmarks.fetch"),
    )
    first = {name: start - interval(name).length_ms for name, start in starts.items()}
    newest = pl.col("timestamp").dt.epoch("ms") >= pl.col("interval").replace_strict(first)
    return _speed("we", fetched.checked.frame.filter(newest).height, fetched.elapsed_s)


def _ccxt(there: Upstreams, starts: dict[str, int]) -> float:
    words = [f"{name}={start - interval(name).length_ms}" for name, start in starts.items()]
    argv = [program("python"), str(HERE / "peers" / "ccxt_fetch.py"), there.binance, *words]
    done = subprocess.run(argv, env=quiet_environment(), check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return _speed("ccxt", told["candles"], told["elapsed_s"])


def _speed(who: str, candles: int, elapsed_s: float) -> float:
    if candles != 2 * _SERIES:
        raise NotTheSame(f"{who} fetched {candles} candles of {_SERIES} series")
    return _SERIES / elapsed_s
