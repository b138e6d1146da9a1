"""Windows that become one file once their period is over, on a real Hub: whoever does it, whatever is damaged."""

from collections.abc import Callable, Iterator

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.publish import folds, losses
from localhub.testing import HubServer
from tests.datasets.foreign import RECEIPTS
from tests.stores.foreign_world import listed, receipt, receipts
from tests.stores.world import Site, assert_settled, at, candles, market, on_hub, paths_on_hub

DAY = at("2025-11-22")
OVER = DAY + DAY_MS + 10 * MINUTE_MS
HOURS = [f"data/hours/2025-11-22T{hour:02d}.parquet" for hour in range(20, 24)]
FOLDED = "data/2025-11-22.parquet"


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    yield from listed(RECEIPTS)


def four_hours(site: Site) -> pl.DataFrame:
    """The rows of the last hours of a day, all but those of the last one sealed."""
    rows = [market(DAY + hour * HOUR_MS + 30 * MINUTE_MS) for hour in range(20, 24)]
    for frame, hour in zip(rows, range(20, 24), strict=True):
        site.tick(MARKET, frame, now_ms=DAY + hour * HOUR_MS + 30 * MINUTE_MS)
    assert paths_on_hub(MARKET, site.hub) == [*HOURS[:3], "data/live/2330.parquet"]
    return pl.concat(rows)


def put(site: Site, spec: DatasetSpec, path: str, content: bytes) -> None:
    """By hand, past the publisher."""
    site.hub.commit(spec, writes={path: content}, deletes=[], message="by hand", parent=site.hub.head(spec))


def unreadable(site: Site, spec: DatasetSpec) -> set[str]:
    with Cache.open(site.cache_path) as cache:
        seen = cache.repo(spec).load()
    assert seen is not None
    return seen.unreadable


def test_a_day_is_folded_in_the_commit_that_seals_its_last_hour(site: Site) -> None:
    rows = four_hours(site)
    assert site.publish(MARKET, now_ms=OVER - 1).commit is None
    assert site.publish(MARKET, now_ms=OVER).commit is not None
    assert paths_on_hub(MARKET, site.hub) == [FOLDED]
    assert_settled(MARKET, site, rows)
    assert site.publish(MARKET, now_ms=OVER + MINUTE_MS).reason == "nothing changed since the last commit"


def test_a_fold_that_was_missed_is_a_reason_for_a_commit(site: Site) -> None:
    """Another version, or somebody by hand, has left a window of a day that is over."""
    rows = four_hours(site)
    site.publish(MARKET, now_ms=OVER)
    late = market(DAY + 12 * HOUR_MS)
    put(site, MARKET, "data/hours/2025-11-22T11.parquet", layout.write(MARKET, late.sort(MARKET.file_order)))
    now = market(OVER + MINUTE_MS)
    site.tick(MARKET, now, now_ms=OVER + MINUTE_MS)
    assert paths_on_hub(MARKET, site.hub) == [FOLDED, "data/live/0011.parquet"]
    assert on_hub(MARKET, site.hub).height == pl.concat([rows, late, now]).height


def test_of_several_large_periods_one_is_folded_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = at("2025-11-30T12:00")
    site.tick(OHLC, candles(now_ms, back=24, intervals=("1h", "4h")), now_ms=now_ms)
    windows = [path for path in paths_on_hub(OHLC, site.hub) if "/days/" in path]
    assert {path.split("/")[1] for path in windows} == {"1h", "4h"}
    monkeypatch.setattr(folds, "MOST_BYTES", 1)
    over = at("2025-12-01T12:00")
    rows = candles(over, back=0, intervals=("1h", "4h"))
    site.tick(OHLC, rows, now_ms=over)
    assert "data/1h/2025-11.parquet" in paths_on_hub(OHLC, site.hub)
    left = {path.split("/")[1] for path in paths_on_hub(OHLC, site.hub) if "/days/2025-11" in path}
    assert left == {"4h"}
    before = on_hub(OHLC, site.hub)
    assert site.publish(OHLC, now_ms=over + MINUTE_MS).commit is not None, "what is left is a reason for a commit"
    assert not [path for path in paths_on_hub(OHLC, site.hub) if "/days/2025-11" in path]
    assert "data/4h/2025-11.parquet" in paths_on_hub(OHLC, site.hub)
    assert on_hub(OHLC, site.hub).equals(before)
    assert site.publish(OHLC, now_ms=over + 2 * MINUTE_MS).commit is None


def test_a_fold_by_another_writer_is_no_loss(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    rows = four_hours(one)
    other.tick(MARKET, market(OVER), now_ms=OVER)
    assert paths_on_hub(MARKET, one.hub) == [FOLDED, "data/live/0010.parquet"]
    one.tick(MARKET, market(OVER + MINUTE_MS), now_ms=OVER + MINUTE_MS)
    with Cache.open(one.cache_path) as cache:
        assert losses.owed(MARKET, repo=one.hub.repo_url(MARKET), cache=cache) == 0
        assert cache.waiting(MARKET) == 0
    assert on_hub(MARKET, one.hub).height == rows.height + 2 * 5


def test_windows_somebody_removed_are_put_back(site: Site) -> None:
    rows = four_hours(site)
    head = site.hub.head(MARKET)
    site.hub.commit(MARKET, writes={}, deletes=HOURS[:2], message="by hand", parent=head)
    new = market(DAY + 23 * HOUR_MS + 31 * MINUTE_MS)
    site.tick(MARKET, new, now_ms=DAY + 23 * HOUR_MS + 31 * MINUTE_MS)
    site.publish(MARKET, now_ms=DAY + 23 * HOUR_MS + 32 * MINUTE_MS)
    assert_settled(MARKET, site, pl.concat([rows, new]))


@pytest.mark.parametrize("how", ["cut", "noted before"])
def test_a_window_that_is_damaged_is_left_and_the_others_are_folded(site: Site, how: str) -> None:
    rows = four_hours(site)
    whole = site.hub.read(MARKET, HOURS[1], revision=site.hub.head(MARKET))
    put(site, MARKET, HOURS[1], whole[: len(whole) // 2])
    if how == "noted before":
        site.tick(MARKET, market(DAY + 23 * HOUR_MS + 31 * MINUTE_MS), now_ms=DAY + 23 * HOUR_MS + 31 * MINUTE_MS)
        assert unreadable(site, MARKET) == {HOURS[1]}
    now = market(OVER)
    assert site.tick(MARKET, now, now_ms=OVER).rows >= now.height
    assert paths_on_hub(MARKET, site.hub) == [FOLDED, HOURS[1], "data/live/0010.parquet"]
    assert site.publish(MARKET, now_ms=OVER + MINUTE_MS).reason == "nothing changed since the last commit"

    put(site, MARKET, HOURS[1], whole)
    site.tick(MARKET, market(OVER + 2 * MINUTE_MS), now_ms=OVER + 2 * MINUTE_MS)
    site.publish(MARKET, now_ms=OVER + 3 * MINUTE_MS)
    assert HOURS[1] not in paths_on_hub(MARKET, site.hub)
    assert set(rows.select(MARKET.key).rows()) <= set(on_hub(MARKET, site.hub).select(MARKET.key).rows())


def test_windows_wait_where_the_file_they_belong_in_is_damaged(site: Site) -> None:
    """Rows that come go on: only what would be folded there stays where it is."""
    ranges = "data/000000000000-000000000999.parquet"
    stamps = {
        2002: DAY + 4 * HOUR_MS,
        3: DAY - 2 * DAY_MS,
        2000: DAY - HOUR_MS,
        7: DAY + 2 * HOUR_MS,
        2001: DAY + HOUR_MS,
    }
    made = [receipt(number, stamped, fetched_ms=stamped) for number, stamped in stamps.items()]
    site.tick(RECEIPTS, receipts(*made), now_ms=DAY + 5 * HOUR_MS)
    windows = {"data/hours/2025-11-22T01.parquet", "data/hours/2025-11-22T02.parquet"}
    put(site, RECEIPTS, ranges, b"this is no parquet")
    late = OVER + 5 * HOUR_MS
    assert site.tick(RECEIPTS, receipts(receipt(3000, late, fetched_ms=late)), now_ms=late).rows == 1
    assert windows & set(paths_on_hub(RECEIPTS, site.hub)) == {"data/hours/2025-11-22T02.parquet"}
    assert unreadable(site, RECEIPTS) == {ranges}


def test_the_keys_of_windows_that_were_folded_are_forgotten(site: Site) -> None:
    early = DAY + 8 * HOUR_MS
    site.tick(RECEIPTS, receipts(receipt(7, early, fetched_ms=early)), now_ms=early + 2 * HOUR_MS)
    later = receipts(receipt(2000, OVER, fetched_ms=OVER))
    site.tick(RECEIPTS, receipts(receipt(8, early + 2 * HOUR_MS, fetched_ms=early)), now_ms=early + 4 * HOUR_MS)
    assert "data/hours/2025-11-22T08.parquet" in paths_on_hub(RECEIPTS, site.hub)
    site.tick(RECEIPTS, later, now_ms=OVER)
    with Cache.open(site.cache_path) as cache:
        noted = cache.database.rows("SELECT path FROM sealed_files")
    assert noted == [("data/000000000000-000000000999.parquet",)]


def test_the_layout_of_before_is_taken_over_without_reading_it_all(site: Site, server: HubServer) -> None:
    """Version 0.1 kept daily candles by year, and the current day and month in one file each."""
    now_ms = at("2025-11-22T09:30")
    old = candles(now_ms, back=400, intervals=("1d",)).filter(pl.col("closed"))
    month = candles(now_ms, back=24 * 20, intervals=("1h",)).filter(
        pl.col("closed")
        & (pl.col("timestamp").dt.strftime("%Y-%m-%d").is_between(pl.lit("2025-11-01"), pl.lit("2025-11-21")))
    )
    year = pl.col("timestamp").dt.year()
    site.hub.create(OHLC)
    files = {
        "data/1d/2024.parquet": old.filter(year == 2024),
        "data/1d/2025.parquet": old.filter(year == 2025),
        "data/1h/2025-11.parquet": month,
    }
    writes = {path: layout.write(OHLC, frame.sort(OHLC.file_order)) for path, frame in files.items()}
    site.hub.commit(OHLC, writes=writes, deletes=[], message="version 0.1", parent=site.hub.head(OHLC))
    site.tick(OHLC, candles(now_ms, back=0), now_ms=now_ms)
    assert {"data/1d/2024.parquet", "data/1d/2025.parquet", "data/1h/2025-11.parquet"} <= set(
        paths_on_hub(OHLC, site.hub)
    )
    held = on_hub(OHLC, site.hub)
    fixed = old.filter(pl.col("timestamp") == pl.col("timestamp").max()).with_columns(close=pl.lit(1.25))
    server.faults.seen.clear()
    later = now_ms + MINUTE_MS
    fixed = fixed.with_columns(pl.col("ingested_at") + pl.duration(minutes=1))
    site.tick(OHLC, fixed, now_ms=later)
    assert not [one for one in server.faults.seen if "data/1d/2024.parquet" in one and "resolve" in one]
    paths = paths_on_hub(OHLC, site.hub)
    assert "data/1d/2025.parquet" not in paths
    assert {"data/1d/2024.parquet", "data/1d/2025-10.parquet", "data/1d/days/2025-11-21.parquet"} <= set(paths)
    assert on_hub(OHLC, site.hub).height == held.height
