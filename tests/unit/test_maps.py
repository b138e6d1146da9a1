"""The maps in the docstrings of the rooms: each names every module of its room, and nothing that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [
    "api",
    "api/middleware",
    "api/access",
    "api/http",
    "api/caching",
    "api/encoders",
    "api/engine",
    "api/engine/hub",
    "api/rows",
    "api/sql",
    "api/sql/sandbox",
    "api/sql/sandbox/worker",
    "api/datasets",
    "api/health",
    "api/history",
    "api/stream",
    "api/dropin",
    "api/dropin/binance",
    "api/dropin/coingecko",
    "api/web",
    "datahub_assets",
    "datahub_assets/datasets",
    "datahub_assets/datasets/market",
    "datahub_assets/datasets/candles",
    "datahub_assets/datasets/candles/archive",
    "datahub_assets/datasets/candles/client",
    "datahub_assets/domain",
    "datahub_assets/datasets/listings",
    "datahub_assets/datasets/news",
    "datahub_assets/sources",
    "datahub_assets/sources/binance",
    "datahub_assets/stores",
    "datahub_assets/stores/cache",
    "datahub_assets/stores/fill",
    "datahub_assets/stores/history",
    "datahub_assets/stores/hub",
    "datahub_assets/stores/publish",
    "datahub_assets/stores/recovery",
    "datahub_assets/defs",
    "datahub_assets/defs/checks",
    "datahub_assets/defs/history",
    "datahub_assets/ops",
    "datahub_assets/ops/supervise",
    "datahub_assets/ops/dagster",
    "datahub_assets/ops/commands",
    "datahub_assets/ops/commands/history",
    "localhub/app",
    "localhub/app/requests",
    "localhub/app/repos",
    "localhub/app/uploads",
    "localhub/store/disk",
    "localhub",
    "datahub_system",
    "datahub_system/net",
    "datahub_system/files",
]
_COLUMN = 24


@pytest.mark.parametrize("room", ROOMS)
def test_a_map_names_what_is_there(room: str) -> None:
    lines = (ROOT / room / "__init__.py").read_text().splitlines()
    entries = [found for line in lines if (found := re.match(r"([a-z_]+) +(?=\S)", line)) and found.end() == _COLUMN]
    named = [entry[1] for entry in entries]
    modules = {path.stem for path in (ROOT / room).glob("*.py") if not path.stem.startswith("__")}
    packages = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    assert sorted(named) == sorted(modules | packages)
