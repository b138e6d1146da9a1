"""A datahub for the tests of this room: fake upstreams, a real Hub, an account and a home a test."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.definitions import build
from datahub_assets.defs import chain, error_mapping
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.settings import Settings
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.fakes import Clock, FakeBinance, FakeCoinGecko

NOON_MS = 1_763_985_600_000  # 2025-11-24 12:00 UTC
_ACCOUNTS = count(1)


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything a chain needs, and a Dagster instance that remembers its runs."""

    datahub: DataHubResource
    coingecko: FakeCoinGecko
    binance: FakeBinance
    clock: Clock
    server: HubServer
    instance: dg.DagsterInstance

    @property
    def hub(self) -> Hub:
        """The Hub as the assets use it."""
        with self.datahub.cache() as cache:
            return self.datahub.hub(cache)

    @property
    def definitions(self) -> dg.Definitions:
        return build(self.datahub.settings, self.datahub)

    def run(self, spec: DatasetSpec) -> dg.ExecuteInProcessResult:
        """The whole chain in one run."""
        job = self.definitions.resolve_job_def(chain.job_name(spec))
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def materialize(self, spec: DatasetSpec, key: dg.AssetKey) -> dg.ExecuteInProcessResult:
        """One asset, as a person does it in the UI."""
        job = self.definitions.resolve_job_def(chain.job_name(spec))
        return job.execute_in_process(instance=self.instance, raise_on_error=False, asset_selection=[key])

    def status(self, spec: DatasetSpec) -> dict[str, Any]:
        """What the file says of the chain."""
        return dict(json.loads(self.datahub.status.path.read_text())["chains"][spec.name])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON_MS)


@pytest.fixture
def coingecko(clock: Clock) -> Iterator[FakeCoinGecko]:
    with FakeCoinGecko(clock=clock, coin_count=20) as fake:
        yield fake


@pytest.fixture
def binance(clock: Clock) -> Iterator[FakeBinance]:
    with FakeBinance(clock=clock) as fake:
        yield fake


@pytest.fixture
def bench(
    tmp_path: Path, server: HubServer, coingecko: FakeCoinGecko, binance: FakeBinance, clock: Clock
) -> Iterator[Bench]:
    token = server.add_user(f"chain-{next(_ACCOUNTS)}")
    settings = Settings.from_env(
        {
            "HF_TOKEN": token,
            "HF_ENDPOINT": server.url,
            "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3",
            "BINANCE_BASE_URLS": binance.url,
            "DATAHUB_HOME": str(tmp_path / "home"),
            "DATAHUB_DATASETS": "market,ohlc",
            "DATAHUB_COINS": "20",
            "DATAHUB_SYMBOLS": "BTCUSDT,ETHUSDT",
            "DATAHUB_INTERVALS": "1h,4h",
            "DATAHUB_HISTORY_CANDLES": "30",
            "DATAHUB_PUBLISH_INTERVAL_S": "1",
            "DATAHUB_COMMITS_PER_HOUR": "10000",
        }
    )
    (tmp_path / "home").mkdir()
    datahub = DataHubResource(settings, clock=clock.now_ms)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Bench(datahub, coingecko, binance, clock, server, instance)
    server.faults.clear()


@pytest.fixture
def key() -> str:
    """The resource's name, for contexts built by hand."""
    return KEY


@pytest.fixture(params=(MARKET, OHLC), ids=lambda spec: str(spec.name))
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_mapping, "FIRST_WAIT_S", 0.01)


def materialized(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, object]:
    """Metadata of an asset's materialization, as plain values."""
    (event,) = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, str | None]]:
    return {e.check_name: (e.passed, e.description) for e in result.get_asset_check_evaluations()}


def on_hub(bench: Bench, spec: DatasetSpec) -> int:
    with bench.datahub.cache() as cache:
        seen = cache.repo(spec).load()
    return 0 if seen is None or seen.rows is None else seen.rows
