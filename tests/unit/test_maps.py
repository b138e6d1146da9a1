"""The maps in the docstrings of the rooms: each names every module of its room, and nothing that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [
    "datahub_assets",
    "datahub_assets/defs",
    "datahub_assets/domain",
    "datahub_assets/ops",
    "datahub_assets/sources",
    "datahub_assets/stores",
    "api",
    "api/engine",
    "api/sandbox",
    "localhub",
    "datahub_net",
]
_COLUMN = 16


@pytest.mark.parametrize("room", ROOMS)
def test_a_map_names_what_is_there(room: str) -> None:
    lines = (ROOT / room / "__init__.py").read_text().splitlines()
    entries = [found for line in lines if (found := re.match(r"([a-z_]+) +(?=\S)", line)) and found.end() == _COLUMN]
    named = [entry[1] for entry in entries]
    modules = {path.stem for path in (ROOT / room).glob("*.py") if not path.stem.startswith("__")}
    packages = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    assert sorted(named) == sorted(modules | packages)
