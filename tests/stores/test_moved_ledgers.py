"""Ledgers outlive a rebuilt cache, another account, and a repo whose content is gone; two machines keep both lines."""

from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.gaps import Cause
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.recovery import inherited_gaps
from datahub_assets.stores.recovery.rebuild import rebuild
from localhub.testing import HubServer
from tests.stores.holes import NOW_H, gap_lines, hour, hourly, when
from tests.stores.world import GAPS, START_MS, Site, in_cache, ledger_on_hub


@pytest.fixture
def with_history(site: Site) -> pl.DataFrame:
    """A ledger with a gap that healed, one the exchange was asked about in vain, and one from before what the cache
    still holds; the published lines."""
    old, silent, late = hour(24 * 95), hour(24 * 10), hour(5)
    rows = hourly(START_MS, back=24 * 100, skip=(old, silent, late))
    site.store(OHLC, rows, now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        for question in cache.gaps(OHLC).to_ask(now_ms=START_MS):
            cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 1)
    came = hourly(START_MS + MINUTE_MS, back=6).filter(pl.col("timestamp") == when(late))
    site.tick(OHLC, came, now_ms=START_MS + MINUTE_MS)
    with Cache.open(site.cache_path) as cache:
        assert cache.prune(OHLC, now_ms=START_MS + 2 * MINUTE_MS).rows > 0
    lines = ledger_on_hub(OHLC, GAPS, site.hub)
    assert (lines["asks"].to_list(), lines["healed_at"].is_null().to_list()) == ([1, 1, 1], [True, True, False])
    return lines


def test_a_ledger_moves_to_another_account(site: Site, server: HubServer, with_history: pl.DataFrame) -> None:
    moved = Site(site.home, Hub(server.url, server.add_user("moved")))
    moved.publish(OHLC, now_ms=START_MS + 3 * MINUTE_MS)
    assert ledger_on_hub(OHLC, GAPS, moved.hub).equals(with_history)

    later = START_MS + 4 * MINUTE_MS
    moved.tick(OHLC, hourly(later, back=24 * 100, skip=(hour(24 * 95), hour(24 * 10))), now_ms=later)
    assert ledger_on_hub(OHLC, GAPS, moved.hub).equals(with_history), "the history comes anew, the same gaps do not"


def test_a_ledger_outlives_the_content_of_its_repo(site: Site, with_history: pl.DataFrame) -> None:
    site.hub._api.delete_repo(site.hub.repo_id(OHLC), repo_type="dataset")
    later = START_MS + 3 * MINUTE_MS
    site.tick(OHLC, hourly(later, back=0), now_ms=later)
    assert ledger_on_hub(OHLC, GAPS, site.hub).equals(with_history)


def in_parts(site: Site) -> pl.DataFrame:
    """Four candles in a row are missing: the exchange has none of the first and the last two, the second one is bad."""
    bad = [hour(4), "1", "0.5", "2", "1", "1", hour(3) - 1, "1", 1, "1", "1", "0"]
    checked = check_klines([bad], symbol="P0USDT", interval=interval("1h"), server_time_ms=START_MS, now_ms=START_MS)
    rows = hourly(START_MS, skip=tuple(hour(ago) for ago in (5, 4, 3, 2)))
    site.store(OHLC, rows, now_ms=START_MS, rejected=checked.rejected)
    with Cache.open(site.cache_path) as cache:
        for question in cache.gaps(OHLC).to_ask(now_ms=START_MS):
            if question.gap.cause is Cause.NOT_FETCHED:
                cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 1)
    site.publish(OHLC, now_ms=START_MS + 2)
    assert gap_lines(site) == IN_PARTS
    return ledger_on_hub(OHLC, GAPS, site.hub)


IN_PARTS = [
    (5, 5, "exchange_had_none", False),
    (4, 4, "quarantined", False),
    (3, 2, "exchange_had_none", False),
]


def test_a_rebuilt_cache_knows_why_rows_of_one_hole_are_missing_for_several_reasons(site: Site) -> None:
    lines = in_parts(site)
    later = START_MS + MINUTE_MS
    rebuild(site.cache_path, (OHLC,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    assert in_cache(GAPS, site.cache_path).equals(lines)
    with Cache.open(site.cache_path) as cache:
        assert cache.waiting(GAPS) == 0
    site.tick(OHLC, hourly(later), now_ms=later)
    assert gap_lines(site) == [(first, last, cause, True) for first, last, cause, _ in IN_PARTS]


def test_what_was_asked_and_is_not_published_outlives_a_rebuild(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS, skip=(hour(3),)), now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        (question,) = cache.gaps(OHLC).to_ask(now_ms=START_MS)
        cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 1)
    later = START_MS + MINUTE_MS
    rebuild(site.cache_path, (OHLC,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    site.publish(OHLC, now_ms=later)
    assert gap_lines(site) == [(3, 3, "exchange_had_none", False)]


def test_a_hole_with_several_causes_moves_to_another_account(site: Site, server: HubServer) -> None:
    lines = in_parts(site)
    moved = Site(site.home, Hub(server.url, server.add_user("moved-in-parts")))
    moved.publish(OHLC, now_ms=START_MS + MINUTE_MS)
    assert ledger_on_hub(OHLC, GAPS, moved.hub).equals(lines)


def test_an_installation_that_follows_knows_why_rows_are_missing(site: Site, tmp_path: Path) -> None:
    """It has more of them, and fewer: what it misses of a gap keeps the cause, what it has is healed with it."""
    in_parts(site)
    follower = Site(tmp_path / "another", site.hub)
    later = START_MS + MINUTE_MS
    follower.store(OHLC, hourly(later, skip=(hour(5), hour(4), hour(2))), now_ms=later)
    with Cache.open(follower.cache_path) as cache:
        inherited_gaps.close(OHLC, cache=cache, hub=follower.hub, now_ms=later + 1)
        known = cache.gaps(OHLC).coverages()["P0USDT", "1h"].gaps
    follower.publish(OHLC, now_ms=later + 2)
    assert [((NOW_H - gap.first_time) // HOUR_MS, gap.cause) for gap in known] == [
        (5, Cause.EXCHANGE_HAD_NONE),
        (4, Cause.QUARANTINED),
        (2, Cause.EXCHANGE_HAD_NONE),
    ]
    assert gap_lines(follower) == [
        (5, 5, "exchange_had_none", False),
        (4, 4, "quarantined", False),
        (3, 3, "exchange_had_none", True),
        (2, 2, "exchange_had_none", False),
    ]


def test_two_machines_that_tell_of_one_gap_keep_what_one_of_them_asked(site: Site, tmp_path: Path) -> None:
    twin = Site(tmp_path / "twin", site.hub)
    rows = hourly(START_MS, skip=(hour(3),))
    for one in (site, twin):
        one.tick(OHLC, rows, now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        (question,) = cache.gaps(OHLC).to_ask(now_ms=START_MS)
        cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 1)
    site.publish(OHLC, now_ms=START_MS + 2000)
    later = START_MS + MINUTE_MS
    twin.tick(OHLC, hourly(later), now_ms=later)
    assert gap_lines(site) == [(3, 3, "exchange_had_none", True)]
