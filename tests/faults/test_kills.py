"""SIGKILL and power cuts of real processes, from the first byte fetched to the row marked: the next ticks heal it."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.faults.conftest import OpenWorld, Settle
from tests.faults.disk import Unsynced
from tests.faults.matrix import combinations
from tests.faults.processes import SIGKILLED, send
from tests.faults.subjects import GROUPS, SUBJECTS
from tests.faults.tick_process import Death

LINES_TRIED = 40
"""Of each group."""

ACTIONS = (
    *("fsync status", "rename status", "BEGIN", "COMMIT", "close cache"),
    *("fsync landing file", "rename landing file", "fsync landing folder", "unlink landing file"),
    *("UPDATE versions", "INSERT INTO series", "INSERT INTO quarantine", "INSERT INTO rechecks"),
    *("hub card check", "hub preupload", "hub lfs batch", "hub lfs upload", "hub commit", "INSERT INTO commits"),
    *("INSERT OR REPLACE INTO remote", "DELETE FROM remote_files", "INSERT OR REPLACE INTO remote_files"),
    *("UPDATE remote_files", "INSERT OR IGNORE INTO file_forms"),
)
"""What a tick of any dataset does to disk, cache and Hub; each is a point before and one after it."""


def _points(group: str) -> tuple[str, ...]:
    """All points of a tick of these datasets."""
    subjects = [SUBJECTS[name] for name in GROUPS[group]]
    answers = dict.fromkeys(answer for subject in subjects for answer in subject.answers)
    own = dict.fromkeys(action for subject in subjects for action in subject.writes)
    rows = [f"{verb} {one.spec.cache_table}" for one in subjects for verb in ("INSERT INTO", "UPDATE")]
    return (
        *(f"{which} byte of {answer}" for answer in answers for which in ("first", "last")),
        *(f"{when} {action}" for action in (*ACTIONS, *rows, *own) for when in ("before", "after")),
    )


POINTS = {group: _points(group) for group in GROUPS}


class Place(NamedTuple):
    """A point of a tick of a group, the first or the last time it is reached."""

    group: str
    time: str
    point: str


QUICK = {
    Place("prices", "last", "first byte of klines"), Place("prices", "last", "after rename landing file"),
    Place("prices", "last", "after hub commit"), Place("listings", "first", "after hub commit"),
    Place("news", "first", "after INSERT OR REPLACE INTO notes"),
}  # fmt: skip
QUICK_CUTS = {
    Place("prices", "last", "before fsync landing folder"), Place("prices", "last", "after unlink landing file"),
    Place("prices", "last", "before COMMIT"), Place("chains", "first", "before UPDATE cached_blocks"),
}  # fmt: skip
MODELS = tuple(Unsynced)


@dataclass(frozen=True)
class Recorded:
    """How often a tick of the scene reaches each point, and how many lines of the product it runs."""

    counts: Mapping[str, int]
    lines: int


RecordedOf = Callable[[str], Recorded]


@pytest.fixture
def recorded(open_world: OpenWorld, tmp_path: Path) -> RecordedOf:
    """A tick of a group without harm, in another process; recorded once."""

    def of(group: str) -> Recorded:
        if group not in _RECORDED:
            notes = tmp_path / "points"
            assert send(open_world("roll", group=group), points_to=notes) == 0
            counts = Counter(notes.read_text().splitlines())
            _RECORDED[group] = Recorded(counts, int(notes.with_suffix(".lines").read_text()))
        return _RECORDED[group]

    return of


_RECORDED: dict[str, Recorded] = {}


@pytest.mark.parametrize(
    "group", [group if group == "prices" else pytest.param(group, marks=pytest.mark.slow) for group in GROUPS]
)
def test_the_points_are_all_there_are(recorded: RecordedOf, group: str) -> None:
    assert set(recorded(group).counts) == set(POINTS[group])


def deaths(quick: set[Place]) -> list[Any]:
    """Every point, the first and the last time it is reached."""
    places = [Place(group, time, point) for group in GROUPS for point in POINTS[group] for time in ("first", "last")]
    assert quick <= set(places)
    return combinations(places, quick=quick, name=lambda place: f"{place.group} {place.time} {place.point}")


def nth(recorded: RecordedOf, place: Place) -> int:
    return 1 if place.time == "first" else recorded(place.group).counts[place.point]


@pytest.mark.parametrize("place", deaths(QUICK))
def test_killed_at_a_point(recorded: RecordedOf, open_world: OpenWorld, settle: Settle, place: Place) -> None:
    death = Death(place.point, nth(recorded, place))
    world = open_world("roll", group=place.group)
    assert send(world, death=death) == SIGKILLED
    settle(world)


@pytest.mark.parametrize("place", deaths(QUICK_CUTS))
def test_power_cut_at_a_point(
    recorded: RecordedOf, open_world: OpenWorld, settle: Settle, tmp_path: Path, place: Place
) -> None:
    """What was not synced is kept, lost or torn by turns."""
    unsynced = MODELS[(POINTS[place.group].index(place.point) + (place.time == "last")) % len(MODELS)]
    found = tmp_path / "after the cut"
    death = Death(place.point, nth(recorded, place), cut_to=found, unsynced=unsynced)
    world = open_world("roll", group=place.group)
    assert send(world, death=death) == SIGKILLED
    world.go_on_in(found)
    settle(world)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(LINES_TRIED))
@pytest.mark.parametrize("group", list(GROUPS))
def test_killed_at_any_line(recorded: RecordedOf, open_world: OpenWorld, settle: Settle, group: str, seed: int) -> None:
    line = random.Random(seed).randint(1, recorded(group).lines)  # noqa: S311 - a sample, no secret
    world = open_world("roll", group=group)
    assert send(world, death=Death(None, line)) == SIGKILLED
    settle(world)
