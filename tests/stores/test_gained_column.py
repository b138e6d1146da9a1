"""A new version of a dataset with one column more: cache, landing files and files on the Hub go on, nulls in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import polars as pl
import pytest

from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.errors import CacheUnusable, HubContentInvalid
from datahub_assets.domain.times import DAY_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from localhub.testing import HubServer
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.earlier_world import assert_one_form
from tests.stores.foreign_world import FOREIGN, incident, incidents, listed, receipt, receipts
from tests.stores.world import START_MS, Site, assert_settled, in_cache, ledger_on_hub, on_hub

GAINED = Column("remark", ColumnKind.TEXT, "what somebody remarked", example="seen twice")
OLD_MS, LATER_MS = START_MS - 40 * DAY_MS, START_MS + MINUTE_MS
ROWS = {
    "incidents": incidents(
        incident("a", OLD_MS, fetched_ms=START_MS, services=["api"]),
        incident("b", START_MS, fetched_ms=START_MS),
    ),
    "receipts": receipts(
        receipt(1, OLD_MS, fetched_ms=START_MS),
        receipt(2000, OLD_MS, fetched_ms=START_MS),
        receipt(2001, START_MS, fetched_ms=START_MS, settled=False),
    ),
}
LANDED = {
    "incidents": incidents(incident("c", START_MS, fetched_ms=START_MS)),
    "receipts": receipts(receipt(1001, START_MS, fetched_ms=START_MS)),
}
BOTH = pytest.mark.parametrize("spec", FOREIGN, ids=lambda spec: spec.name)


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    yield from listed(*FOREIGN)


def with_columns(spec: DatasetSpec, *columns: Column) -> DatasetSpec:
    """The next version of a dataset, which takes the place of this one."""
    after = replace(spec, columns=columns)
    DATASETS[spec.name] = after
    return after


def gained(spec: DatasetSpec) -> DatasetSpec:
    """The new column stands between others."""
    return with_columns(spec, *spec.columns[:2], GAINED, *spec.columns[2:])


def today(spec: DatasetSpec, frame: pl.DataFrame, remark: str | None = None) -> pl.DataFrame:
    return frame.with_columns(pl.lit(remark, dtype=pl.String).alias("remark")).select(spec.column_names)


@BOTH
def test_rows_of_before_go_on_with_nulls(site: Site, server: HubServer, spec: DatasetSpec) -> None:
    site.tick(spec, ROWS[spec.name], now_ms=START_MS)
    site.land(spec, LANDED[spec.name], now_ms=START_MS)
    count = site.hub.commit_count(spec)
    after = gained(spec)

    site.store(after, now_ms=LATER_MS)
    assert list((site.home / "landing" / spec.name).iterdir()) == [], "a landing file of before is no damaged one"
    published = site.publish(after, now_ms=LATER_MS)
    assert published.rows == 1
    assert published.rewritten >= 2
    assert site.hub.commit_count(spec) == count + 1
    assert_one_form(after, site.hub)
    known = today(after, pl.concat([ROWS[spec.name], LANDED[spec.name]]))
    assert_settled(after, site, known)

    said = today(after, LANDED[spec.name], "late").with_columns(pl.col("ingested_at") + pl.duration(minutes=2))
    server.faults.seen.clear()
    assert site.tick(after, said, now_ms=LATER_MS + MINUTE_MS).rows == 1
    assert not [one for one in server.faults.seen if "/2025-10" in one], "what sealed files hold is still known"
    assert on_hub(after, site.hub)["remark"].drop_nulls().to_list() == ["late"]
    assert on_hub(after, site.hub).equals(in_cache(after, site.cache_path))


@pytest.mark.parametrize("pruned", [False, True], ids=["in the cache", "on the Hub alone"])
def test_what_a_gained_column_says_first_corrects_nothing(site: Site, pruned: bool) -> None:
    site.tick(RECEIPTS, ROWS["receipts"], now_ms=START_MS)
    after = gained(RECEIPTS)
    corrections = corrections_of(after)
    assert corrections is not None
    now_ms = START_MS + RECEIPTS.retention_ms + DAY_MS if pruned else LATER_MS
    if pruned:
        with Cache.open(site.cache_path) as cache:
            assert cache.prune(after, now_ms=now_ms).rows > 0
    for number, remark in enumerate(("first", "second")):
        rows = today(after, ROWS["receipts"], remark)
        fetched = pl.lit(now_ms + number * MINUTE_MS).cast(pl.Datetime("ms", "UTC")).cast(rows.schema["ingested_at"])
        site.tick(after, rows.with_columns(ingested_at=fetched), now_ms=now_ms + number * MINUTE_MS)
    lines = ledger_on_hub(after, corrections, site.hub)
    final = ROWS["receipts"].filter(pl.col("settled")).height
    assert lines.select("column", "old", "new").rows() == [("remark", "first", "second")] * final


@BOTH
def test_with_nothing_waiting_it_is_a_reason_to_commit(site: Site, spec: DatasetSpec) -> None:
    site.tick(spec, ROWS[spec.name], now_ms=START_MS)
    after = gained(spec)
    published = site.publish(after, now_ms=LATER_MS)
    assert published.rows == 0
    assert published.rewritten > 0
    assert_one_form(after, site.hub)
    assert site.publish(after, now_ms=LATER_MS + MINUTE_MS).reason == "nothing changed since the last commit"


def test_a_cache_of_before_is_only_read_where_it_is_complete(site: Site) -> None:
    site.store(RECEIPTS, ROWS["receipts"], now_ms=START_MS)
    gained(RECEIPTS)
    Cache.open(site.cache_path).close()
    with closing(sqlite3.connect(site.cache_path)) as database:
        before = list(database.iterdump())
    Cache.open(site.cache_path).close()
    with closing(sqlite3.connect(site.cache_path)) as database:
        assert list(database.iterdump()) == before


def test_an_older_program_still_opens_the_cache(site: Site) -> None:
    site.store(RECEIPTS, ROWS["receipts"], now_ms=START_MS)
    site.store(gained(RECEIPTS), now_ms=START_MS)
    DATASETS[RECEIPTS.name] = RECEIPTS
    site.store(RECEIPTS, LANDED["receipts"], now_ms=LATER_MS)
    assert in_cache(RECEIPTS, site.cache_path).height == 4


@pytest.mark.parametrize(
    "columns",
    [
        tuple(replace(one, kind=ColumnKind.TEXT) if one.name == "amount" else one for one in RECEIPTS.columns),
        tuple(replace(one, kind=ColumnKind.NUMBER) if one.name == "number" else one for one in RECEIPTS.columns),
    ],
    ids=["a value", "a key"],
)
def test_a_column_of_another_kind_is_refused(site: Site, columns: tuple[Column, ...]) -> None:
    site.store(RECEIPTS, ROWS["receipts"], now_ms=START_MS)
    changed = next(one.name for one, other in zip(columns, RECEIPTS.columns, strict=True) if one != other)
    object.__setattr__(after := replace(RECEIPTS), "columns", columns)  # a spec that would not check itself
    DATASETS[RECEIPTS.name] = after
    with pytest.raises(CacheUnusable, match=rf"does not fit the column {changed}: .* another `cache_table`"):
        Cache.open(site.cache_path)
    DATASETS[RECEIPTS.name] = RECEIPTS
    with Cache.open(site.cache_path) as cache:
        assert cache.waiting(RECEIPTS) == 3


def test_a_column_taken_away_is_refused_where_rows_have_it(site: Site) -> None:

    site.tick(RECEIPTS, ROWS["receipts"], now_ms=START_MS)
    head = site.hub.head(RECEIPTS)
    fewer = with_columns(RECEIPTS, *(one for one in RECEIPTS.columns if one.name != "amount"))
    with pytest.raises(HubContentInvalid, match=r"holds the columns amount, .* keep the column as it was"):
        site.publish(fewer, now_ms=LATER_MS)
    assert site.hub.head(RECEIPTS) == head


def test_incidents_move_between_files_as_before(site: Site) -> None:
    """Which sealed file holds which key is still known after they were written anew."""
    site.tick(INCIDENTS, ROWS["incidents"], now_ms=START_MS)
    after = gained(INCIDENTS)
    site.publish(after, now_ms=LATER_MS)
    moved = today(after, incidents(incident("a", LATER_MS, fetched_ms=LATER_MS)), "moved")
    site.tick(after, moved, now_ms=LATER_MS + MINUTE_MS)
    assert on_hub(after, site.hub).filter(incident_id="a")["remark"].to_list() == ["moved"]
