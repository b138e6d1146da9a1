"""What there is of each series, and what is missing."""

import polars as pl

from datahub_assets.datasets.candles.spec import OHLC
from tests.api.conftest import Client, until
from tests.api.history.conftest import URL
from tests.api.workers import Workers, candles


def test_coverage_tells_what_there_is_and_what_is_missing(client: Client, workers: Workers) -> None:
    found = client.get("/api/hub/coverage").json()
    assert {(one["series"], one["interval"]) for one in found["series"]} == {("BTCUSDT", "1h")}
    rows = client.get(URL).json()
    one = found["series"][0]
    assert (one["rows"], one["oldest"], one["newest"]) == (len(rows), rows[0]["timestamp"], rows[-1]["timestamp"])
    assert (one["forming"], one["gaps"], found["missing"], one["expected"]) == (1, [], 0, len(rows))
    holed = candles(("SOLUSDT",), count=10).filter(pl.col("timestamp").dt.hour() != 6)
    sha = workers.publish(OHLC, holed)
    until(lambda: client.get("/api/hub/coverage").json()["revision"] == sha)
    found = client.get("/api/hub/coverage?symbol=SOLUSDT&interval=1h").json()
    assert found["missing"] == 1
    assert found["series"][0]["expected"] == found["series"][0]["rows"] + 1 == 10
    gap = found["series"][0]["gaps"][0]
    assert (gap["first_time"], gap["missing"], gap["cause"]) == ("2026-11-22T06:00:00Z", 1, "not_fetched")
    assert client.get("/api/hub/coverage?symbol=solusdt&interval=1h").json() == found
    coin = client.get("/api/hub/coverage?dataset=market").json()["series"][0]
    assert (coin["series"], coin["expected"]) == ("batcat", None)
