"""The machine loses its power while a run is on its way: after the next start both chains go on at once."""

import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.fakes import FakeBinance, FakeCoinGecko

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]

LIMIT_S = 60.0
"""After so long a run of which nothing is known counts as dead whatever the launcher says."""


def runs_in(home: Path, status: str) -> set[str]:
    (path,) = home.rglob("runs.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {run_id for (run_id,) in database.execute("SELECT run_id FROM runs WHERE status = ?", (status,))}


def test_a_run_that_was_starting_blocks_no_chain(
    tmp_path: Path, coingecko: FakeCoinGecko, binance: FakeBinance
) -> None:
    upstreams = {
        "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3",
        "BINANCE_BASE_URLS": binance.url,
        "DATAHUB_DATASETS": "market,ohlc",
        "DATAHUB_COINS": "5",
        "DATAHUB_SYMBOLS": "BTCUSDT",
        "DATAHUB_INTERVALS": "1h",
        "DATAHUB_HISTORY_CANDLES": "5",
    }
    with Stack(tmp_path / "home", upstreams=upstreams) as stack:
        stack.wait_for((stack.home / "worker-status.json").is_file, "the first run")
        stack.wait_for(lambda: len([done for done in stack.ticks_done().values() if done]) > 1, "a run of each chain")
        stack.cut_the_power(lambda: bool(runs_in(stack.home, "STARTING")))
        cut, cut_at = runs_in(stack.home, "STARTING"), time.time()
        stack.start()
        stack.wait_for(lambda: stack.log(500).count("runs     ready after") > 1, "the process that forks runs")
        ready_at = time.time()
        stack.wait_for(lambda: cut <= runs_in(stack.home, "FAILURE"), "the end of what was cut off")
        assert time.time() < max(cut_at + LIMIT_S, ready_at + 15), "the machine may be slow, but nobody waits"
        stack.wait_for(
            lambda: all(
                done and datetime.fromisoformat(done).timestamp() > cut_at for done in stack.ticks_done().values()
            ),
            "a run of each chain",
        )
