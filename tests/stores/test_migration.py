"""A cache of an earlier format goes on in today's: nothing of it is lost, or the file is as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.gaps import Cause
from datahub_assets.domain.rechecks import Recheck
from datahub_assets.domain.rows import in_epoch_ms
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache import schema
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.schema import FORMAT
from tests.stores.killed import Moment, open_and_die
from tests.stores.world import CORRECTIONS, GAPS, at

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text()
OPEN_MS = at("2025-11-22T03:00")
BTC, ETH = '{"symbol":"BTCUSDT","interval":"1h"}', '{"symbol":"ETHUSDT","interval":"4h"}'
SEEN_MS = 1_763_803_800_000
ASKED_MS, HEALED_MS = SEEN_MS + MINUTE_MS, SEEN_MS + 2 * MINUTE_MS
LATER_MS, EARLIER_MS = OPEN_MS + 3 * HOUR_MS, OPEN_MS - 7 * HOUR_MS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of format 1."""
    path = tmp_path / "cache.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_1)
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [f"user_version {database.execute('PRAGMA user_version').fetchone()}", *database.iterdump()]


def test_gaps_say_the_same_and_wait_for_a_commit(path: Path) -> None:
    with Cache.open(path) as cache:
        waiting = cache.unpublished(GAPS).frame.sort(GAPS.key)
        known = cache.gaps(OHLC).coverages()
    times = in_epoch_ms(waiting)
    by_time = (None, None)
    assert times.rows() == [
        (
            "ohlc",
            BTC,
            OPEN_MS,
            OPEN_MS + HOUR_MS,
            2,
            "exchange_had_none",
            SEEN_MS,
            ASKED_MS,
            1,
            None,
            ASKED_MS,
            *by_time,
        ),
        ("ohlc", BTC, LATER_MS, LATER_MS, 1, "not_fetched", SEEN_MS, None, 0, HEALED_MS, HEALED_MS, *by_time),
        ("ohlc", ETH, EARLIER_MS, EARLIER_MS, 1, "not_fetched", SEEN_MS, None, 0, None, SEEN_MS, *by_time),
    ]
    assert {series: [gap.cause for gap in coverage.gaps] for series, coverage in known.items()} == {
        ("BTCUSDT", "1h"): [Cause.EXCHANGE_HAD_NONE],
        ("ETHUSDT", "4h"): [Cause.NOT_FETCHED],
    }


def test_a_correction_becomes_a_line_for_each_value_that_changed(path: Path) -> None:
    with Cache.open(path) as cache:
        lines = cache.unpublished(CORRECTIONS).frame.with_columns(pl.col("corrected_at").dt.epoch("ms"))
    key = '{"symbol":"BTCUSDT","interval":"1h","timestamp":"2025-11-22T05:00:00.000Z"}'
    assert lines.sort("column").rows() == [
        ("ohlc", key, "close", "101.5", "102.25", SEEN_MS + 2 * MINUTE_MS),
        ("ohlc", key, "trade_count", "5", "6", SEEN_MS + 2 * MINUTE_MS),
    ]


def test_the_quarantine_still_tells_why_a_row_is_missing(path: Path, tmp_path: Path) -> None:
    with Cache.open(path) as cache:
        assert (cache.quarantined(OHLC).count(), cache.quarantined(MARKET).count()) == (1, 1)
        cache.drain(tmp_path / "landing", OHLC, now_ms=SEEN_MS + HOUR_MS, followed=lambda _: False)
        assert [gap.cause for gap in cache.gaps(OHLC).coverages()["ETHUSDT", "4h"].gaps] == [Cause.QUARANTINED]


def test_all_else_is_as_it_was_and_the_file_is_of_todays_format(path: Path) -> None:
    with Cache.open(path) as cache:
        assert cache.database.scalar("PRAGMA user_version") == FORMAT
        assert cache.note(OHLC, "pruned_at") == 1_763_800_000_000
        assert cache.series(OHLC).last_times() == {
            ("BTCUSDT", "1h"): 1_763_802_000_000,
            ("ETHUSDT", "4h"): 1_763_798_400_000,
        }
        assert cache.database.rows("SELECT dataset, at, rows FROM commits") == [("ohlc", SEEN_MS, 3)]
        assert cache.next_version() == 8
    once = dump(path)
    Cache.open(path).close()
    assert dump(path) == once


@pytest.mark.parametrize(
    "moment",
    [
        Moment("_from_format_1", "call"),
        Moment("_lines", "return", 2),
        Moment("Table.put", "return"),
        Moment("_from_format_1", "return"),
        Moment("_create", "return"),
    ],
    ids=str,
)
def test_killed_on_the_way_the_file_is_as_it_was(path: Path, moment: Moment) -> None:
    before = dump(path)
    assert open_and_die(path, moment) == -9
    assert dump(path) == before
    with Cache.open(path) as cache:
        assert (cache.waiting(GAPS), cache.waiting(CORRECTIONS)) == (3, 2)


def test_what_fails_on_the_way_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(path)
    real = schema._from_format_1

    def fails(database: object) -> None:
        real(database)  # type: ignore[arg-type]
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_from_format_1", fails)
        with pytest.raises(MemoryError):
            Cache.open(path)
    assert dump(path) == before


def test_a_cache_of_before_rechecks_were_remembered_gains_them(tmp_path: Path) -> None:
    path, series = tmp_path / "cache.sqlite3", ("BTCUSDT", "1h")
    with Cache.open(path) as cache:
        cache.set_note(OHLC, "pruned_at", SEEN_MS)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE rechecks")
    for _ in range(2):
        with Cache.open(path) as cache:
            known = cache.series(OHLC).rechecks()
            cache.series(OHLC).note_rechecks([series], failed=(), now_ms=SEEN_MS)
    assert known == {series: Recheck(SEEN_MS, SEEN_MS)}
    with Cache.open(path) as cache:
        cache.series(OHLC).note_rechecks([series, ("ETHUSDT", "4h")], failed={series: "no answer"}, now_ms=ASKED_MS)
        assert cache.series(OHLC).rechecks() == {
            series: Recheck(ASKED_MS, SEEN_MS),
            ("ETHUSDT", "4h"): Recheck(ASKED_MS, ASKED_MS),
        }
        assert cache.series(MARKET).rechecks() == {}
        assert cache.note(OHLC, "pruned_at") == SEEN_MS
