"""SIGKILL and power cuts of real processes, from the first byte fetched to the row marked: the next ticks heal it."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import OpenWorld, Settle
from tests.faults.disk import Unsynced
from tests.faults.matrix import combinations
from tests.faults.processes import SIGKILLED, send
from tests.faults.tick_process import Death

LINES_TRIED = 60

ACTIONS = (
    *("fsync status", "rename status", "BEGIN", "COMMIT", "close cache"),
    *("fsync landing file", "rename landing file", "fsync landing folder", "unlink landing file"),
    *("UPDATE versions", "INSERT INTO cached_market_data", "INSERT INTO cached_ohlc", "INSERT INTO series"),
    *("UPDATE series", "INSERT INTO gaps", "INSERT INTO quarantine"),
    *("hub read", "hub card check", "hub preupload", "hub lfs batch", "hub lfs upload", "hub commit"),
    *("INSERT INTO commits", "UPDATE cached_market_data", "UPDATE cached_ohlc", "UPDATE gaps", "UPDATE corrections"),
    *("INSERT OR REPLACE INTO remote", "DELETE FROM remote_files", "INSERT OR REPLACE INTO remote_files"),
    *("UPDATE remote_files", "INSERT OR IGNORE INTO file_forms", "INSERT INTO rechecks"),
)
"""All that a tick does to disk, cache and Hub; each is a point before and one after it."""
POINTS = (
    *(f"{which} byte of {asked}" for asked in ("markets", "time", "klines") for which in ("first", "last")),
    *(f"{when} {action}" for action in ACTIONS for when in ("before", "after")),
)
QUICK = {
    ("first byte of klines", "last"), ("after rename landing file", "last"), ("after hub commit", "last"),
    ("before COMMIT", "last"),
}  # fmt: skip
QUICK_CUTS = {("before fsync landing folder", "last"), ("after unlink landing file", "last"), ("before COMMIT", "last")}
MODELS = tuple(Unsynced)


@dataclass(frozen=True)
class Recorded:
    """How often a tick of the scene reaches each point, and how many lines of the product it runs."""

    counts: Mapping[str, int]
    lines: int


_RECORDED: list[Recorded] = []


@pytest.fixture
def recorded(open_world: OpenWorld, tmp_path: Path) -> Recorded:
    """A tick without harm, in another process; recorded once."""
    if not _RECORDED:
        notes = tmp_path / "points"
        assert send(open_world("roll"), points_to=notes) == 0
        counts = Counter(notes.read_text().splitlines())
        _RECORDED.append(Recorded(counts, int(notes.with_suffix(".lines").read_text())))
    return _RECORDED[0]


def test_the_points_are_all_there_are(recorded: Recorded) -> None:
    assert set(recorded.counts) == set(POINTS)
    assert len(POINTS) >= 20


def deaths(quick: set[tuple[str, str]]) -> list[Any]:
    """Every point, the first and the last time it is reached."""
    places = product(POINTS, ("first", "last"))
    return combinations(places, quick=quick, name=lambda place: f"{place[1]} {place[0]}")


def nth(recorded: Recorded, place: tuple[str, str]) -> int:
    return 1 if place[1] == "first" else recorded.counts[place[0]]


@pytest.mark.parametrize("place", deaths(QUICK))
def test_killed_at_a_point(recorded: Recorded, open_world: OpenWorld, settle: Settle, place: tuple[str, str]) -> None:
    world = open_world("roll")
    assert send(world, death=Death(place[0], nth(recorded, place))) == SIGKILLED
    settle(world)


@pytest.mark.parametrize("place", deaths(QUICK_CUTS))
def test_power_cut_at_a_point(
    recorded: Recorded, open_world: OpenWorld, settle: Settle, tmp_path: Path, place: tuple[str, str]
) -> None:
    """What was not synced is kept, lost or torn by turns."""
    world = open_world("roll")
    unsynced = MODELS[(POINTS.index(place[0]) + (place[1] == "last")) % len(MODELS)]
    found = tmp_path / "after the cut"
    assert send(world, death=Death(place[0], nth(recorded, place), cut_to=found, unsynced=unsynced)) == SIGKILLED
    world.go_on_in(found)
    settle(world)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(LINES_TRIED))
def test_killed_at_any_line(recorded: Recorded, open_world: OpenWorld, settle: Settle, seed: int) -> None:
    world = open_world("roll")
    line = random.Random(seed).randint(1, recorded.lines)  # noqa: S311 - a sample, no secret
    assert send(world, death=Death(None, line)) == SIGKILLED
    settle(world)
