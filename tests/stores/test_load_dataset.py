"""What users type works: `load_dataset` in a process of its own, with the Hub we publish to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import HOUR_MS
from localhub.testing import HubServer
from tests.stores.made_history import MadeHistory, build
from tests.stores.world import START_MS, Site, candles, in_cache, market

SCRIPT = """
import json, sys
from datasets import get_dataset_config_names, load_dataset

market, ohlc = sys.argv[1:]
prices = load_dataset(market, split="train").to_pandas()
one = prices[prices.symbol == "C1"]
told = {
    "market": sorted(prices.price),
    "C1": list(one.price),
    "zone": str(one.timestamp.dt.tz),
    "configs": get_dataset_config_names(ohlc),
    "default": load_dataset(ohlc, split="train").num_rows,
    "1h": sorted(load_dataset(ohlc, "1h", split="train")["close"]),
    "gaps": load_dataset(ohlc, "gaps", split="train")["cause"][:],
    "sources": load_dataset(ohlc, "sources", split="train")["rows"][:],
    "streamed": sum(1 for _ in load_dataset(ohlc, "1d", split="train", streaming=True)),
}
print(json.dumps(told))
"""


@pytest.mark.timeout(120)
def test_people_read_what_was_published(site: Site, server: HubServer, tmp_path: Path) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + 2 * HOUR_MS
    site.tick(MARKET, market(later), now_ms=later)
    hole = START_MS - START_MS % HOUR_MS - 3 * HOUR_MS
    site.tick(OHLC, candles(START_MS, back=12, skip=(hole,)), now_ms=START_MS)

    build(site, MadeHistory(), "12h", "2025-10", now_ms=later)
    build(site, MadeHistory(pairs=("AAAUSDT",)), "6h", "2024-02", now_ms=later)
    site.publish(OHLC, now_ms=later)

    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, site.hub.repo_id(MARKET), site.hub.repo_id(OHLC)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    prices, rows = in_cache(MARKET, site.cache_path), in_cache(OHLC, site.cache_path)
    assert told["market"] == sorted(prices["price"])
    assert told["C1"] == prices.filter(symbol="C1").sort("timestamp")["price"].to_list()
    assert told["zone"] == "UTC"
    configs = ["default", "12h", "1d", "1h", "6h", "gaps", "sources"]
    assert told["configs"] == configs, "an empty ledger has no config, it could not be loaded"
    assert sorted(told["sources"]) == [62, 62, 62, 116]
    assert told["default"] == rows.height + sum(told["sources"])
    assert told["1h"] == sorted(rows.filter(interval="1h")["close"])
    assert told["gaps"] == ["not_fetched"] * 3
    assert told["streamed"] == rows.filter(interval="1d").height
