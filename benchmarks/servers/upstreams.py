"""Loopback stand-ins of CoinGecko and Binance, as the tests have them, in a process of their own."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import HERE, quiet_environment
from benchmarks.servers.processes import running


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where they listen."""

    coingecko: str
    binance: str

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings that point to them."""
        return {
            "COINGECKO_BASE_URL": f"{self.coingecko}/api/v3",
            "BINANCE_BASE_URLS": self.binance,
            "DATAHUB_DATASETS": "market,ohlc",
        }


@contextmanager
def upstreams(*, pairs: int, latency_s: float, folder: Path) -> Iterator[Upstreams]:
    """Serve 250 coins and `pairs` USDT pairs whose numbers move with the clock, each answer after `latency_s`."""
    log = folder / "upstreams.json"
    options = ["--pairs", str(pairs), "--latency", str(latency_s), "--coins", "250", "--moving"]
    env = quiet_environment(PYTHONPATH=str(HERE.parent))
    argv = [sys.executable, "-m", "tests.fakes", *options]
    with running(argv, log=log, env=env, ready=lambda: log.read_text(encoding="utf-8").endswith("\n")):
        told = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        yield Upstreams(coingecko=told["coingecko"], binance=told["binance"][0])
