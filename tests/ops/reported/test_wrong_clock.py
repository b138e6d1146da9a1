"""A clock that is minutes wrong: upstreams tell, and people are told in words."""

import pytest

from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.sources.clocks import Clocks
from datahub_assets.stores.worker_status import WorkerStatusFile
from tests.ops.cli import datahub
from tests.ops.conftest import System

NOW_MS = 1_763_800_015_000
DATE = "Sat, 22 Nov 2025 08:26:55 GMT"
"""The same moment, as headers spell it."""
PORTS = {"DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("off_ms", "said"),
    [
        (10 * MINUTE_MS, "600 s ahead of a.example"),
        (-10 * MINUTE_MS, "600 s behind a.example"),
        (61_000, "61 s ahead of a.example"),
        (59_000, None),
        (-59_000, None),
        (0, None),
    ],
)
def test_the_date_of_an_answer_tells_how_far_the_clock_is_off(off_ms: int, said: str | None) -> None:
    watch = Watch()
    clocks = Clocks(monotonic=watch)
    clocks.heard_headers("a.example", {"date": DATE})
    watch.seconds += 30
    problem = clocks.problem(now_ms=NOW_MS + 30_000 + off_ms)
    assert problem is None if said is None else said in str(problem)


def test_how_long_a_cache_kept_an_answer_counts() -> None:
    clocks = Clocks(monotonic=Watch())
    clocks.heard_headers("a.example", {"date": DATE, "age": "540"})
    assert clocks.ahead_ms(now_ms=NOW_MS + 540_000) == {"a.example": 0}


@pytest.mark.parametrize(
    "headers", [{}, {"date": ""}, {"date": "yesterday"}, {"date": "Sat, 99 Nov 2025 08:26:55 GMT"}]
)
def test_what_is_no_date_says_nothing(headers: dict[str, str]) -> None:
    clocks = Clocks()
    clocks.heard_headers("a.example", headers)
    assert clocks.problem(now_ms=NOW_MS) is None


def test_where_one_upstream_agrees_it_is_the_others_that_are_wrong() -> None:
    clocks = Clocks(monotonic=Watch())
    clocks.heard("a.example", NOW_MS)
    clocks.heard("b.example", NOW_MS - 10 * MINUTE_MS)
    assert clocks.problem(now_ms=NOW_MS) is None
    assert "b.example" in str(clocks.problem(now_ms=NOW_MS + 2 * MINUTE_MS)), "no host agrees now"


@pytest.mark.parametrize(("upstreams_ms", "word"), [(10 * MINUTE_MS, "behind"), (-10 * MINUTE_MS, "ahead of")])
def test_status_doctor_and_the_worker_status_say_it(system: System, upstreams_ms: int, word: str) -> None:
    for upstream in (system.coingecko, system.binance):
        upstream.clock.advance(upstreams_ms)
    system.tick()
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    for chain, host in (("market", system.coingecko.url), ("ohlc", system.binance.url)):
        (line,) = [line for line in shown.output.splitlines() if line.startswith(f"{chain}: this machine's clock")]
        assert f"{word} {host.removeprefix('http://')}" in line
        assert any(f" {seconds} s {word} " in line for seconds in range(597, 604)), line
        assert "timedatectl" in line
    chains = WorkerStatusFile(system.settings.home).read().chains
    assert all("this machine's clock is wrong" in " ".join(chains[name].warnings) for name in ("market", "ohlc"))
    lines = datahub("doctor", env={**system.environ, **PORTS}).output.splitlines()
    at = next(
        number for number, line in enumerate(lines) if line.startswith("FAIL  clock: this machine's clock is wrong")
    )
    assert lines[at].count(word) == 2
    assert "timedatectl" in lines[at + 1]


def test_a_clock_that_is_right_again_is_no_matter(system: System) -> None:
    system.coingecko.clock.advance(10 * MINUTE_MS)
    system.binance.clock.advance(10 * MINUTE_MS)
    system.tick()
    system.coingecko.clock.advance(-10 * MINUTE_MS)
    system.binance.clock.advance(-10 * MINUTE_MS)
    system.tick()
    assert "this machine's clock" not in datahub("status", env=system.environ).output
