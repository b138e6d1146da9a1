"""The installations that have lived, a short and a long time, and are asked afterwards."""

from collections.abc import Iterator

import pytest

from localhub.testing import HubServer
from tests.consistency.life import Life, Plan, lived

SHORT = Plan(
    start="2025-12-31T22:58:05",
    ticks=(14, 60, 61, 62, 67, 70, 72, 73),
    still=("market", 70, 73),
    late_trades=(67,),
    gap_found=60,
    looks=(61, 72),
    reconnect=(61, 72),
    one_in=9,
)
"""The hour rolls at minute 14, midnight is at 62, and the year rolls at 72."""
LONG = Plan(
    start="2025-12-31T22:30:05",
    ticks=tuple(range(1, 211)),
    still=("ohlc", 98, 101),
    late_trades=tuple(range(20, 211, 25)),
    gap_found=40,
    looks=(45, 89, 100, 101, 210),
    reconnect=(85, 130),
    compare_every=10,
)
"""A tick a minute; midnight is at minute 90, and hours roll at 40, 100 (with the year) and 160."""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp("short")
    with lived(folder, HubServer(folder / "hub"), SHORT) as life:
        yield life


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp("long")
    with lived(folder, HubServer(folder / "hub"), LONG) as life:
        yield life


@pytest.fixture(params=["short", pytest.param("long", marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def life(request: pytest.FixtureRequest) -> Life:
    found: Life = request.getfixturevalue(request.param)
    return found
