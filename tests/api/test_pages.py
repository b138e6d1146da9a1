"""Pages of any dataset: whatever its key is, and however many rows have one time, they are the whole, each row once."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.engine.selection import select
from api.engine.selection.query import RowQuery
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from api.http.errors import InvalidCursor
from api.rows.queries import ask, cursor
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import frame_of, from_epoch_ms
from datahub_assets.domain.times import epoch_ms
from tests.api.made_specs import (
    COLOURS,
    GROUPS,
    MAKES,
    MAKES_OF_EACH,
    SERIES,
    STEP_MS,
    TAGS,
    USUAL,
    Make,
    histories,
    spec_of,
)
from tests.api.snapshots import SnapshotMaker, making, snapshot_of

Given = dict[str, Any]
Files = Sequence[tuple[str | None, pl.DataFrame]]
"""The rows of each file, and the group it is of."""
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def place() -> Iterator[SnapshotMaker]:
    with tempfile.TemporaryDirectory(prefix="datahub-pages-") as folder, making(Path(folder)) as made:
        yield made


def snapshot(place: SnapshotMaker, spec: DatasetSpec, files: Files) -> Snapshot:
    return snapshot_of(spec, [place.data_file(spec, rows, group=group) for group, rows in files])


def values(*known: str) -> st.SearchStrategy[list[str] | None]:
    some = st.lists(st.sampled_from((*known, "none of them")), min_size=1, max_size=3)
    return st.one_of(st.none(), st.none(), st.none(), some)


FILTERS = st.fixed_dictionaries(
    {
        "owners": values(*SERIES),
        "side": values(*GROUPS),
        "number": st.none() | st.none() | st.lists(st.sampled_from(("-1", "0", "9", "010")), min_size=1, max_size=2),
        "colour": values(*COLOURS),
        "tag": values(*TAGS),
        "done_only": st.sampled_from((False, False, True)),
    }
)
TIMES = st.none() | st.integers(-1, 4).map(lambda step: str(step * STEP_MS + step % 2))
PAGES = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 8),
        "order": st.sampled_from((None, "asc", "desc")),
        "columns": st.just(["*"]),
        "max_age": st.sampled_from((1, 2, 10)),
    }
)
_OTHER = dict.fromkeys(("cursor", "revision", "as_of", "format", "numbers", "delimiter")) | {"spreadsheet": False}


def request(spec: DatasetSpec, asked: Given, cursor: str | None = None) -> RowQuery:
    return ask(spec, {**_OTHER, **asked, "cursor": cursor}).rows


def pages(of: Snapshot, asked: Given) -> list[list[dict[str, Any]]]:
    """All pages, by following the cursors."""
    found = []
    following: str | None = None
    while True:
        query = request(of.spec, asked, following)
        page = rows_of(of, query)
        found.append(page.frame.to_dicts())
        if page.next is None:
            return found
        assert len(found[-1]) == asked["limit"]
        following = cursor(of.sha, query, page.next)


def rows(spec: DatasetSpec, files: Files) -> list[dict[str, Any]]:
    return pl.concat([frame_of(spec, []), *(frame for _, frame in files)]).to_dicts()


def fulfils(row: Row, asked: Given, *, but: frozenset[str] = frozenset()) -> bool:
    """Whether a row has what the filters ask for, leaving some of them out."""
    counts = {int(number) for number in asked["number"] or ()}
    return all(
        holds
        for parameter, holds in (
            ("owners", not asked["owners"] or row["owner"] in asked["owners"]),
            ("side", not asked["side"] or row["side"] in asked["side"]),
            ("number", not counts or row["number"] in counts),
            ("colour", not asked["colour"] or row["colour"] in asked["colour"]),
            ("tag", not asked["tag"] or bool(set(row["tags"] or ()) & set(asked["tag"]))),
            ("done_only", not asked["done_only"] or row["done"] is True),
        )
        if parameter not in but
    )


def is_within(row: Row, asked: Given) -> bool:
    at_ms = epoch_ms(row["happened_at"])
    return (asked["start"] is None or at_ms >= int(asked["start"])) and (
        asked["end"] is None or at_ms < int(asked["end"])
    )


def asked_range(asked: Given) -> Given:
    """The same with start before end."""
    start, end = asked["start"], asked["end"]
    return {**asked, "end": None} if start is not None and end is not None and int(start) >= int(end) else asked


@st.composite
def cases(draw: st.DrawFn) -> tuple[DatasetSpec, Files, Given]:
    made = draw(st.sampled_from(USUAL) | st.sampled_from(MAKES))
    asked = {**draw(FILTERS), **draw(PAGES), "start": draw(TIMES), "end": draw(TIMES)}
    return spec_of(made), draw(histories(made)), asked_range(asked)


@settings(max_examples=200, deadline=None)
@given(case=cases(), few=st.sampled_from((0, select.FEW_SERIES)))
def test_pages_are_the_whole_in_order_each_row_once(
    place: SnapshotMaker, case: tuple[DatasetSpec, Files, Given], few: int
) -> None:
    spec, files, asked = case
    meant = [row for row in rows(spec, files) if fulfils(row, asked) and is_within(row, asked)]
    meant.sort(key=lambda row: tuple(row[name] for name in spec.page_order))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "FEW_SERIES", few)
        found = pages(snapshot(place, spec, files), asked)
    newest_first = asked["order"] == "desc" or (asked["order"] is None and spec.newest.newest_first)  # type: ignore[union-attr]
    if newest_first:
        meant.reverse()
    elif asked["start"] is None:
        found.reverse()  # each page is in order, and the next one has the rows before
    assert [row for page in found for row in page] == meant


@st.composite
def cases_of_each(draw: st.DrawFn) -> tuple[DatasetSpec, Files, Given]:
    made = draw(st.sampled_from(MAKES_OF_EACH))
    return spec_of(made), draw(histories(made)), {**draw(FILTERS), **draw(PAGES), "start": None, "end": None}


@settings(max_examples=100, deadline=None)
@given(case=cases_of_each())
def test_the_newest_of_each_series_come_once_the_largest_first(
    place: SnapshotMaker, case: tuple[DatasetSpec, Files, Given]
) -> None:
    spec, files, asked = case
    everything = rows(spec, files)
    newest = {row["owner"]: row for row in sorted(everything, key=lambda row: tuple(row[n] for n in spec.sort))}
    last_ms = max((epoch_ms(row["happened_at"]) for row in everything), default=0)
    ranked = [row for row in newest.values() if epoch_ms(row["happened_at"]) >= last_ms - asked["max_age"] * 1000]
    ranked.sort(key=lambda row: (row["size"] is None, -(row["size"] or 0), row["owner"]))
    meant = [row for row in ranked if fulfils(row, asked, but=frozenset({"owners", "colour"}))]
    if asked["owners"] or asked["colour"]:
        first = {row["colour"]: row["owner"] for row in reversed(ranked)}
        series = {*(asked["owners"] or ()), *(first[one] for one in asked["colour"] or () if one in first)}
        meant = [row for row in meant if row["owner"] in series]
    if asked["order"] == "asc":
        meant.reverse()
    assert [row for page in pages(snapshot(place, spec, files), asked) for row in page] == meant


@pytest.mark.parametrize("asked", [{"start": "0"}, {}, {"order": "desc"}, {"start": "0", "end": "6"}])
@pytest.mark.parametrize("files", [["edcba"], ["bd", "ace"], ["ace", "bd"], ["a", "b", "c", "d", "e"]])
def test_a_page_boundary_between_rows_of_one_time_loses_none(
    place: SnapshotMaker, files: list[str], asked: Given
) -> None:
    spec = spec_of(Make(series=False, series_in_key=False, time_in_key=False, rest=("word",)))
    frames = [frame_of(spec, [{**_ROW, "word": word, "happened_at": 5} for word in words]) for words in files]
    found = pages(place.snapshot(spec, *frames), {**_ASKED, "limit": 2, **asked})
    forward = [["a", "b"], ["c", "d"], ["e"]]
    backward = [["e", "d"], ["c", "b"], ["a"]]
    if "start" not in asked and "order" not in asked:
        backward = [page[::-1] for page in backward]  # a page is in order, and the next one has the rows before
    assert [[row["word"] for row in page] for page in found] == (forward if "start" in asked else backward)


def test_rows_of_several_groups_come_in_order_of_time(place: SnapshotMaker) -> None:
    spec = spec_of(Make(group=True))
    at = [("left", 0), ("right", 1), ("left", 2), ("right", 2), ("left", 3)]
    sides = {
        side: frame_of(spec, [{**_ROW, "side": side, "happened_at": time} for one, time in at if one == side])
        for side in GROUPS
    }
    found = pages(snapshot(place, spec, list(sides.items())), {**_ASKED, "limit": 2, "start": "0"})
    assert [(row["side"], epoch_ms(row["happened_at"])) for page in found for row in page] == at


@pytest.mark.parametrize("few", [0, select.FEW_SERIES])
def test_a_rare_row_is_found_behind_many(place: SnapshotMaker, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "FEW_SERIES", few)
    spec = spec_of(Make(rest=("number",)))
    count = 30_000
    frame = frame_of(spec, [_ROW] * count)
    number = pl.int_range(count)
    rare = frame.with_columns(
        number=number,
        happened_at=from_epoch_ms(number // 7),
        colour=pl.when(number.is_in([3, 15_000, 29_000])).then(pl.lit("blue")).otherwise(pl.lit("red")),
    )
    commit = place.snapshot(spec, rare)
    for start, expected in ((None, [[29_000], [15_000], [3]]), ("0", [[3], [15_000], [29_000]])):
        found = pages(commit, {**_ASKED, "colour": ["blue"], "limit": 1, "start": start})
        assert [[row["number"] for row in page] for page in found] == expected


def test_a_place_that_no_row_can_have_is_refused(place: SnapshotMaker) -> None:
    spec = spec_of(Make(rest=("number",)))
    frame = frame_of(spec, [{**_ROW, "number": one} for one in range(3)])
    query = request(spec, {**_ASKED, "limit": 1})
    assert rows_of(place.snapshot(spec, frame), query).next == (0, "alpha", 2)
    for wrong in ((), (0, "alpha"), ("0", "alpha", 2), (0, "alpha", "2"), (0, "alpha", 1 << 63), (0, 0, 0)):
        with pytest.raises(InvalidCursor):
            request(spec, {**_ASKED, "limit": 1}, cursor("a" * 40, query, wrong))


_ROW: dict[str, Any] = {
    "owner": "alpha", "side": "left", "happened_at": 0, "word": "", "number": 0, "seen_at": 0, "colour": "red",
    "tags": [], "done": True, "size": 1.0, "provider": "someone", "ingested_at": 0,
}  # fmt: skip
_ASKED: Given = {
    "owners": None, "side": None, "number": None, "colour": None, "tag": None, "done_only": False,
    "limit": 100, "order": None, "columns": ["*"], "max_age": 1, "start": None, "end": None,
}  # fmt: skip
