"""What commands say of datasets: requests that run, and what upstreams answer."""

from pathlib import Path

import pytest

from datahub_assets.datasets.candles import doctor as of_candles
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.ops.commands import datasets
from datahub_assets.ops.commands.doctor.checks import findings
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.world import START_MS, candles


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env(
        {"DATAHUB_HOME": str(tmp_path), "DATAHUB_DATASETS": "market,ohlc", "COINGECKO_BASE_URL": "http://127.0.0.1:9"}
    )


@pytest.mark.parametrize(
    ("spec", "query"),
    [
        (MARKET, {"symbols": "BTC,ETH"}),
        (OHLC, {"symbol": "BTCUSDT"}),
        (INCIDENTS, {"severity": "major"}),
        (RECEIPTS, {"register": "north"}),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_a_request_to_try_has_what_must_be_given_or_the_first_example(spec: DatasetSpec, query: dict[str, str]) -> None:
    assert datasets.example_query(spec) == query


def test_rows_are_asked_for_that_the_machine_has(settings: Settings) -> None:
    assert datasets.query_of_stored(OHLC, settings) == {"symbol": "BTCUSDT"}, "nothing is there yet: the example"
    with Cache.open(settings.cache_path) as cache:
        rows = candles(START_MS, pairs=1, back=3, intervals=["4h"])
        cache.upsert(OHLC, rows)
    assert datasets.query_of_stored(OHLC, settings) == {"symbol": rows["symbol"][0], "interval": "4h"}
    for spec in (MARKET, INCIDENTS, RECEIPTS):
        assert datasets.query_of_stored(spec, settings) == {}, "nobody has to choose"


def test_upstreams_are_asked_by_the_packages_that_have_a_question(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> str:
        raise KeyError("somebody else's mistake")

    monkeypatch.setattr(of_candles, "look", fail)
    assert [probe.name for probe in datasets.probes(settings)] == ["coingecko", "binance"]
    found = {one.check: one for one in findings(settings) if one.check in {"coingecko", "binance"}}
    assert not found["coingecko"].ok
    assert "http://127.0.0.1:9/ping: ConnectError" in found["coingecko"].seen
    assert "COINGECKO_BASE_URL" in found["coingecko"].fix
    assert (found["binance"].ok, found["binance"].seen) == (False, 'KeyError: "somebody else\'s mistake"')
    assert "BINANCE_BASE_URLS" in found["binance"].fix
