"""A Hub and two fake upstreams for the tests of this room that look at a whole system."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from datahub_assets.definitions import build
from datahub_assets.defs import chain
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.settings import Settings
from localhub.testing import HubServer
from tests.fakes import FakeBinance, FakeCoinGecko


@dataclass(frozen=True, slots=True)
class System:
    """A hub without its servers: settings, environment, upstreams and Hub."""

    environ: dict[str, str]
    coingecko: FakeCoinGecko
    binance: FakeBinance
    server: HubServer

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environ)

    def tick(self) -> None:
        """Run every chain once, in this process."""
        definitions = build(self.settings, DataHubResource(self.settings))
        with dg.DagsterInstance.ephemeral() as instance:
            for spec in self.settings.collected:
                definitions.resolve_job_def(chain.job_name(spec)).execute_in_process(instance=instance)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with HubServer(tmp_path / "hub") as server, FakeCoinGecko() as coingecko, FakeBinance() as binance:
        environ = {
            "HF_TOKEN": server.add_user("alice"),
            "HF_ENDPOINT": server.url,
            "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3",
            "BINANCE_BASE_URLS": binance.url,
            "DATAHUB_HOME": str(tmp_path / "home"),
            "DATAHUB_DATASETS": "market,ohlc",
            "DATAHUB_COINS": "10",
            "DATAHUB_SYMBOLS": "BTCUSDT",
            "DATAHUB_INTERVALS": "1h",
            "DATAHUB_HISTORY_CANDLES": "10",
        }
        (tmp_path / "home").mkdir()
        yield System(environ, coingecko, binance, server)


def settings_of(home: Path, **values: str) -> Settings:
    return Settings.from_env({"DATAHUB_HOME": str(home), **values})
