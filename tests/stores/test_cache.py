"""The cache: which row stays, and which ones wait for a commit."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import Checked, Rejected
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS, utc_datetime
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.outcomes import Upserted
from datahub_assets.stores.cache.tables import Outbox
from datahub_assets.stores.landing import land, landed
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.foreign_world import FOREIGN, incident, incidents, listed, receipt, receipts
from tests.stores.world import CORRECTIONS, GAPS, START_MS, candles, content, in_cache, market


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite3"


def publish_all(cache: Cache, spec: DatasetSpec, *, sha: str = "a" * 40) -> None:
    """Mark everything that waits, as a publish does."""
    waiting = {spec.name: cache.unpublished(spec)}
    commit_id = cache.repo(spec).add_commit(repo="hub/repo", sha=sha, at_ms=1, rows=1, size=1)
    cache.table(spec).mark(waiting[spec.name].tickets, commit_id=commit_id)


LISTS: tuple[list[str | None] | None, ...] = (None, [], [None], ["api"], ["a,b", 'quo"ted', "ünï\n"])
SAMPLES = [
    (MARKET, market(START_MS)),
    (OHLC, candles(START_MS)),
    (
        INCIDENTS,
        incidents(*(incident(f"i{n}", START_MS, fetched_ms=START_MS, services=s) for n, s in enumerate(LISTS))),
    ),
    (RECEIPTS, receipts(*(receipt(n, START_MS - n, fetched_ms=START_MS, settled=n > 1) for n in range(3)))),
]


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    yield from listed(*FOREIGN)


@pytest.mark.parametrize(("spec", "rows"), SAMPLES)
def test_rows_come_back_as_they_went_in(path: Path, spec: DatasetSpec, rows: pl.DataFrame) -> None:
    with Cache.open(path) as cache:
        assert cache.upsert(spec, rows) == Upserted(inserted=rows.height)
        assert cache.unpublished(spec).frame.sort(spec.file_order).equals(rows.sort(spec.file_order))
    assert in_cache(spec, path).equals(rows.sort(spec.file_order))


def test_the_tables_have_the_names_and_types_people_query(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        cache.upsert(OHLC, candles(START_MS))
    with sqlite3.connect(path) as plain:
        newest = plain.execute("SELECT typeof(price), typeof(timestamp) FROM cached_market_data LIMIT 1").fetchone()
        assert newest == ("real", "integer")
        assert plain.execute("SELECT count(*) FROM cached_ohlc WHERE closed = 0").fetchone() == (6,)
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()


@pytest.mark.parametrize(("spec", "rows"), SAMPLES)
def test_the_same_again_changes_nothing_and_stays_published(path: Path, spec: DatasetSpec, rows: pl.DataFrame) -> None:
    with Cache.open(path) as cache:
        cache.upsert(spec, rows)
        publish_all(cache, spec)
        again = rows.with_columns(pl.lit(utc_datetime(START_MS + 60_000)).alias("ingested_at"))
        assert cache.upsert(spec, again) == Upserted(unchanged=rows.height)
        assert cache.waiting(spec) == 0
    assert in_cache(spec, path).equals(rows.sort(spec.file_order)), "ingested_at is that of the first fetch"


@pytest.mark.parametrize(("spec", "rows"), SAMPLES)
def test_published_rows_past_their_retention_go_and_no_others(
    path: Path, spec: DatasetSpec, rows: pl.DataFrame
) -> None:
    with Cache.open(path) as cache:
        cache.upsert(spec, rows)
        publish_all(cache, spec)
        sent = cache.table(spec).of_last_commit(dataset=spec.name, since_ms=START_MS, limit=2)
        assert sent.height == min(2, rows.filter(spec.time_ms() >= START_MS).height)
        late = START_MS + spec.retention_ms + 400 * DAY_MS
        cache.upsert(spec, rows.head(1).with_columns(pl.col(spec.time) + pl.duration(days=400)))
        assert cache.prune(spec, now_ms=late).rows == rows.height - (spec.time not in spec.key)
        assert cache.waiting(spec) == cache.table(spec).count() == 1


def test_rows_that_form_no_series_have_one_last_time(path: Path) -> None:
    with Cache.open(path) as cache:
        assert cache.series(INCIDENTS).last_times() == {}
        cache.upsert(INCIDENTS, incidents(*(incident(str(n), START_MS - n, fetched_ms=START_MS) for n in range(3))))
        assert cache.series(INCIDENTS).last_times() == {(): START_MS}
        assert cache.gaps(INCIDENTS).coverages() == {}
        assert cache.gaps(INCIDENTS).to_ask(now_ms=START_MS) == []


def test_a_final_row_that_changes_its_time_is_corrected_in_it(path: Path) -> None:
    before, after = (receipts(receipt(7, START_MS + n, fetched_ms=START_MS + n, amount=1.0 + n)) for n in (0, 5))
    still_open = receipts(receipt(8, START_MS, fetched_ms=START_MS, settled=False))
    with Cache.open(path) as cache:
        for rows in (before, still_open, after, still_open.with_columns(settled=True)):
            cache.upsert(RECEIPTS, rows)
        ledger = corrections_of(RECEIPTS)
        assert ledger is not None
        lines = cache.unpublished(ledger).frame.drop("corrected_at").rows()
    key = '{"register":"north","number":7}'
    assert lines == [
        ("receipts", key, "stamped_at", "2025-11-22T09:30:00.000Z", "2025-11-22T09:30:00.005Z"),
        ("receipts", key, "amount", "1.0", "6.0"),
    ]


def test_a_forming_candle_is_replaced_and_a_closed_one_is_not_reopened(path: Path) -> None:
    later = START_MS + 5 * MINUTE_MS
    with Cache.open(path) as cache:
        cache.upsert(OHLC, candles(START_MS, back=1))
        publish_all(cache, OHLC)
        assert cache.upsert(OHLC, candles(later, back=1)).updated == 6
        assert cache.waiting(OHLC) == 6

        closed = candles(START_MS + HOUR_MS, pairs=1, back=1, intervals=["1h"]).filter(pl.col("closed"))
        assert cache.upsert(OHLC, closed).updated == 1
        assert cache.upsert(OHLC, candles(later, pairs=1, back=0, intervals=["1h"])) == Upserted(unchanged=1)


def test_an_older_fetch_that_comes_late_does_not_win(path: Path) -> None:
    newer, older = candles(START_MS + 5 * MINUTE_MS, back=0), candles(START_MS, back=0)
    with Cache.open(path) as cache:
        cache.upsert(OHLC, newer)
        assert cache.upsert(OHLC, older) == Upserted(unchanged=newer.height)
    assert in_cache(OHLC, path).equals(newer.sort(OHLC.file_order))


def test_a_row_that_changes_between_reading_and_marking_stays_unpublished(path: Path) -> None:
    with Cache.open(path) as cache, Cache.open(path) as other:
        cache.upsert(OHLC, candles(START_MS, pairs=2, back=1, intervals=["1h"]))
        read = cache.unpublished(OHLC)
        changed = candles(START_MS + MINUTE_MS, pairs=1, back=0, intervals=["1h"])
        assert other.upsert(OHLC, changed).updated == 1
        commit_id = cache.repo(OHLC).add_commit(repo="r", sha="b" * 40, at_ms=1, rows=4, size=1)
        marked = cache.mark_published(OHLC, {OHLC.name: read, **empty_ledgers(cache)}, commit_id=commit_id)
        assert marked == 3
        assert cache.unpublished(OHLC).frame.equals(changed)


def empty_ledgers(cache: Cache) -> dict[str, Outbox]:
    return {name: cache.unpublished(ledger) for name, ledger in (("gaps", GAPS), ("corrections", CORRECTIONS))}


def test_every_row_knows_its_commit(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        publish_all(cache, MARKET, sha="c" * 40)
    with sqlite3.connect(path) as plain:
        shas = plain.execute("SELECT DISTINCT sha FROM cached_market_data m JOIN commits c ON c.id = m.commit_id")
        assert shas.fetchall() == [("c" * 40,)]
    plain.close()


def test_draining_twice_or_after_a_crash_gives_the_same(path: Path, tmp_path: Path) -> None:
    bad = Rejected.of(MARKET, subject="coin-9", reason="price is null", raw={"id": "coin-9"})
    folder = tmp_path / "landing"
    for minute in range(3):
        land(folder, MARKET, Checked(market(START_MS + minute * MINUTE_MS), (bad,)), now_ms=START_MS + minute)
    kept = {file: file.read_bytes() for file in landed(folder, MARKET)}
    with Cache.open(path) as cache:
        first = cache.drain(folder, MARKET, now_ms=START_MS)
        assert (first.files, first.quarantined) == (3, 1)
        assert landed(folder, MARKET) == []
        before = in_cache(MARKET, path)
        for file, whole in kept.items():
            file.write_bytes(whole)  # as if the process had died before removing them
        again = cache.drain(folder, MARKET, now_ms=START_MS + 1)
        assert (again.upserted.inserted, again.upserted.updated, again.quarantined) == (0, 0, 0)
        assert cache.quarantined(MARKET).count() == 1
    assert in_cache(MARKET, path).equals(before)


def test_a_damaged_landing_file_is_set_aside_and_the_others_go_on(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    broken = land(folder, MARKET, Checked(market(START_MS), ()), now_ms=START_MS)
    broken.write_bytes(broken.read_bytes()[:-50])
    land(folder, MARKET, Checked(market(START_MS + MINUTE_MS), ()), now_ms=START_MS + MINUTE_MS)
    with Cache.open(path) as cache:
        drained = cache.drain(folder, MARKET, now_ms=START_MS)
    assert drained.files == 1
    assert drained.set_aside == (broken.with_suffix(".damaged"),)
    assert broken.with_suffix(".damaged").exists()
    assert content(MARKET, in_cache(MARKET, path)) == content(MARKET, market(START_MS + MINUTE_MS))


def test_old_rows_leave_only_once_published_and_the_series_state_stays(path: Path) -> None:
    late = START_MS + MARKET.retention_ms + HOUR_MS
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        assert cache.prune(MARKET, now_ms=late).rows == 0, "no row is dropped for age before it is published"
        publish_all(cache, MARKET)
        assert cache.prune(MARKET, now_ms=late + 1).rows == 0, "at most once an hour"
        assert cache.prune(MARKET, now_ms=late + HOUR_MS).rows == 5
        assert cache.table(MARKET).count() == 0
        assert len(cache.series(MARKET).last_times()) == 5


def test_series_remember_their_last_row(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(OHLC, candles(START_MS, pairs=1))
        cache.upsert(OHLC, candles(START_MS - 10 * DAY_MS, pairs=1))
        assert cache.series(OHLC).last_times() == {
            ("P0USDT", "1h"): START_MS - START_MS % HOUR_MS,
            ("P0USDT", "1d"): START_MS - START_MS % DAY_MS,
        }


def test_a_closed_candle_that_changes_is_written_to_the_ledger(path: Path) -> None:
    rows = candles(START_MS, pairs=1, back=1, intervals=["1h"])
    fixed = rows.filter(pl.col("closed")).with_columns(
        close=pl.col("close") + 1, ingested_at=pl.col("ingested_at") + pl.duration(minutes=1)
    )
    with Cache.open(path) as cache:
        cache.upsert(OHLC, rows)
        assert cache.upsert(OHLC, fixed).updated == 1
        assert cache.upsert(OHLC, fixed).unchanged == 1
        lines = cache.unpublished(CORRECTIONS).frame
    assert lines.select("dataset", "column").rows() == [("ohlc", "close")]
    assert float(lines["new"][0]) - float(lines["old"][0]) == pytest.approx(1)


def test_notes_are_remembered(path: Path) -> None:
    with Cache.open(path) as cache:
        assert cache.note(MARKET, "last_error", default="none") == "none"
        cache.set_note(MARKET, "last_error", {"code": "hub_unavailable"})
    with Cache.open(path) as cache:
        assert cache.note(MARKET, "last_error") == {"code": "hub_unavailable"}
        assert cache.note(OHLC, "last_error") is None
