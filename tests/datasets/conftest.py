"""The real product with a distribution on its path that brings two datasets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets.field_service import INCIDENTS, RECEIPTS, REGISTERS, FieldService
from tests.e2e.stack import Stack
from tests.fakes import Clock, FakeBinance, FakeCoinGecko

INSTALLED = Path(__file__).parent / "installed"


@pytest.fixture(scope="module")
def service() -> Iterator[FieldService]:
    with FieldService(clock=Clock()) as service:
        yield service


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, service: FieldService) -> Iterator[Stack]:
    """Running, with everything the services tell in the API."""
    with FakeBinance(clock=Clock()) as binance, FakeCoinGecko(clock=Clock()) as coingecko:
        settings = {
            "PYTHONPATH": str(INSTALLED),
            "FIELD_INCIDENTS_URL": service.url,
            "FIELD_RECEIPTS_URL": service.url,
            "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3",
            "BINANCE_BASE_URLS": binance.url,
            "DATAHUB_DATASETS": "market,ohlc,incidents,receipts",
            "DATAHUB_COINS": "5",
            "DATAHUB_SYMBOLS": "BTCUSDT",
            "DATAHUB_INTERVALS": "1h",
            "DATAHUB_HISTORY_CANDLES": "10",
        }
        wanted = {"incidents": INCIDENTS, "receipts": RECEIPTS * len(REGISTERS)}
        with Stack(tmp_path_factory.mktemp("field") / "home", upstreams=settings) as stack:
            stack.wait_for(
                lambda: (
                    (status := stack.get("/api/hub/status"))
                    and {name: status["datasets"][name]["records"] for name in wanted} == wanted
                ),
                "both installed datasets in the API",
            )
            yield stack
