"""Specs of every make: with series and without, with groups and without, with the time in the key and without."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import polars as pl
from hypothesis import strategies as st

from datahub_assets.datasets.filters import Filter, Spelling
from datahub_assets.datasets.spec import DatasetSpec, Licence, NewestOfEach, NewestRows
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS

SERIES = ("alpha", "beta", "ééé", "\ufffd", "\U0001f600")
"""The last two are in another order where texts are compared as UTF-16."""
GROUPS = ("left", "right")
COLOURS = ("blue", "red")
TAGS = ("one", "two")
STEP_MS = 1000


@dataclass(frozen=True)
class Make:
    """What a spec is like; `rest` are columns of the key besides series, group and time."""

    series: bool = True
    series_in_key: bool = True
    group: bool = False
    time_in_key: bool = True
    rest: tuple[str, ...] = ()
    of_each: bool = False
    newest_first: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        named = (
            ("owner", self.series and self.series_in_key),
            ("side", self.group),
            ("happened_at", self.time_in_key),
        )
        return (*(name for name, has in named if has), *self.rest)


RESTS: tuple[tuple[str, ...], ...] = ((), ("word",), ("number",), ("seen_at",), ("word", "number"))
MAKES = tuple(
    made
    for series, (in_key, group), timed in product((True, False), product((True, False), repeat=2), (True, False))
    for rest, first in product(RESTS, (True, False))
    if (made := Make(series, series and in_key, group, timed, rest, newest_first=first)).key
    if in_key or series
)
USUAL = (Make(), Make(group=True))
"""A row of a series at a time, as prices and candles are."""
MAKES_OF_EACH = tuple(
    Make(time_in_key=timed, rest=rest, of_each=True) for timed, rest in product((True, False), RESTS) if timed or rest
)

_COLUMNS = (
    Column("owner", ColumnKind.TEXT, "whose it is", example="alpha"),
    Column("side", ColumnKind.TEXT, "where it is", example="left"),
    Column("happened_at", ColumnKind.TIME, "when it happened", example="1970-01-01T00:00:01Z"),
    Column("word", ColumnKind.TEXT, "a word", example="x"),
    Column("number", ColumnKind.COUNT, "a number", example=1),
    Column("seen_at", ColumnKind.TIME, "when it was seen", example="1970-01-01T00:00:01Z"),
    Column("colour", ColumnKind.TEXT, "its colour", example="red"),
    Column("tags", ColumnKind.TEXTS, "what is said of it", example=("one",)),
    Column("done", ColumnKind.FLAG, "whether it is final", example=True),
    Column("size", ColumnKind.NUMBER, "how large it is", example=1.5),
    Column("provider", ColumnKind.TEXT, "who said so", example="someone"),
    Column("ingested_at", ColumnKind.TIME, "when it was fetched", example="1970-01-01T00:00:01Z"),
)


@cache
def spec_of(made: Make) -> DatasetSpec:
    """A dataset of that make; unknown values have empty answers."""
    filters = (
        Filter(parameter="owners", column="owner", doc="whose", example=("alpha",), spelling=Spelling.LOWER),
        Filter(parameter="side", column="side", doc="where", example=("left",)),
        Filter(parameter="number", column="number", doc="numbers", example=("1",)),
        Filter(parameter="colour", column="colour", doc="colours", example=("red",), newest=made.of_each),
        Filter(parameter="tag", column="tags", doc="one of its tags", example=("one",)),
        Filter(parameter="done_only", column="done", doc="leave out what is not final"),
    )
    return DatasetSpec(
        name="made",
        title="Made",
        summary="Made for a test.",
        answer="Rows.",
        repo_name="made",
        provider="someone",
        source_url="https://example.org",
        licence=Licence("cc0-1.0", "cc0-1.0", "https://example.org"),
        source_asset="made_source",
        cache_table="made_cache",
        hub_asset="made_hub",
        columns=_COLUMNS,
        key=made.key,
        time="happened_at",
        series="owner" if made.series else None,
        group="side" if made.group else None,
        groups=GROUPS if made.group else (),
        final="done",
        partitioning=ByTime(Period.MONTH),
        filters=filters,
        newest=NewestOfEach(rank="size", max_age_s=1) if made.of_each else NewestRows(newest_first=made.newest_first),
        retention_ms=30 * DAY_MS,
    )


_VALUES: dict[str, tuple[Any, ...]] = {
    "owner": SERIES,
    "side": GROUPS,
    "happened_at": tuple(range(0, 4 * STEP_MS, STEP_MS)),
    "word": ("", "a", "aa", "ß", "\ufffd", "\U0001f600"),
    "number": (-1, 0, 1, 9, 10, 1 << 62),
    "seen_at": (-1, 0, 1, 1_795_348_800_123),
    "colour": (None, *COLOURS),
    "tags": (None, [], ["one"], ["two", "one"]),
    "done": (None, True, False),
    "size": (None, 1.0, 2.0),
    "provider": ("someone",),
    "ingested_at": (0,),
}


@st.composite
def histories(draw: st.DrawFn, made: Make) -> list[tuple[str | None, pl.DataFrame]]:
    """Rows of that make, each key once, spread over files in any order."""
    spec, chance = spec_of(made), draw(st.randoms(use_true_random=True))
    drawn = [{name: chance.choice(of) for name, of in _VALUES.items()} for _ in range(draw(st.integers(0, 40)))]
    files: dict[tuple[str | None, int], list[dict[str, Any]]] = {}
    for row in {tuple(row[name] for name in spec.key): row for row in drawn}.values():
        files.setdefault((row["side"] if made.group else None, chance.randrange(3)), []).append(row)
    return [(group, frame_of(spec, members)) for (group, _), members in files.items()]
