"""Gaps and corrections, from the fetch to the published ledger."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.gaps import TAIL_GRACE_MS, Cause
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, iso
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.recovery import inherited_gaps
from datahub_assets.stores.recovery.rebuild import rebuild
from localhub.testing import HubServer
from tests.stores.world import CORRECTIONS, GAPS, START_MS, Site, candles, in_cache, ledger_on_hub

NOW_H = START_MS - START_MS % HOUR_MS
"""The hour that is forming at START_MS."""


def hour(ago: int) -> int:
    return NOW_H - ago * HOUR_MS


def when(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, UTC)


def hourly(now_ms: int, *, back: int = 6, skip: tuple[int, ...] = ()) -> pl.DataFrame:
    return candles(now_ms, pairs=1, back=back, intervals=["1h"], skip=skip)


def gap_lines(site: Site) -> list[tuple[int, int, str, bool]]:
    """Published lines: hours ago of the first and last missing candle, cause, whether healed."""
    lines = ledger_on_hub(OHLC, GAPS, site.hub)
    times = lines.select(pl.col("first_time", "last_time").dt.epoch("ms")).rows()
    return [
        ((NOW_H - first) // HOUR_MS, (NOW_H - last) // HOUR_MS, cause, healed is not None)
        for (first, last), cause, healed in zip(times, lines["cause"], lines["healed_at"], strict=True)
    ]


def test_a_hole_is_published_asked_about_and_heals(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS, skip=(hour(3), hour(4))), now_ms=START_MS)
    assert gap_lines(site) == [(4, 3, "not_fetched", False)]

    with Cache.open(site.cache_path) as cache:
        (question,) = cache.gaps(OHLC).to_ask(now_ms=START_MS)
        assert (question.series, question.gap.first_time, question.gap.last_time) == (
            ("P0USDT", "1h"),
            hour(4),
            hour(3),
        )
        cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS)
        assert cache.gaps(OHLC).to_ask(now_ms=START_MS + MINUTE_MS) == []
        assert cache.gaps(OHLC).to_ask(now_ms=START_MS + 10 * MINUTE_MS) != []
    later = START_MS + MINUTE_MS
    assert site.publish(OHLC, now_ms=later).commit is not None, "what became of a gap is worth a commit"
    assert gap_lines(site) == [(4, 3, "exchange_had_none", False)]

    healed = START_MS + 2 * MINUTE_MS
    site.tick(OHLC, hourly(healed).filter(pl.col("timestamp") == when(hour(4))), now_ms=healed)
    assert gap_lines(site) == [(4, 4, "exchange_had_none", True), (3, 3, "exchange_had_none", False)]
    lines = ledger_on_hub(OHLC, GAPS, site.hub)
    assert lines["healed_at"].to_list() == [when(healed), None]
    assert lines["first_seen"].to_list() == [when(START_MS)] * 2
    assert lines["missing"].to_list() == [1, 1]
    assert site.publish(OHLC, now_ms=healed + MINUTE_MS).commit is None


def test_a_series_knows_how_far_it_reaches_and_what_it_lacks(site: Site) -> None:
    site.store(OHLC, hourly(START_MS, skip=(hour(3), hour(4))), now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        coverage = cache.gaps(OHLC).coverages()[("P0USDT", "1h")]
    assert (coverage.first, coverage.until) == (hour(6), hour(1))
    assert [(gap.first_time, gap.last_time) for gap in coverage.gaps] == [(hour(4), hour(3))]


def test_a_series_that_falls_silent_gets_one_growing_gap(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS), now_ms=START_MS)
    assert gap_lines(site) == []
    for silent in (1, 2, 3):
        now_ms = NOW_H + silent * HOUR_MS + TAIL_GRACE_MS
        site.store(OHLC, now_ms=now_ms)
        site.publish(OHLC, now_ms=now_ms)
        assert gap_lines(site) == [(0, 1 - silent, "not_fetched", False)]
    back = now_ms + MINUTE_MS
    site.tick(OHLC, hourly(back), now_ms=back)
    assert gap_lines(site) == [(0, -2, "not_fetched", True)]


def test_a_pair_that_falls_silent_for_days_is_not_called_unasked(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS), now_ms=START_MS)
    for silent in range(1, 49):
        now_ms = NOW_H + silent * HOUR_MS + TAIL_GRACE_MS
        site.store(OHLC, now_ms=now_ms)
        with Cache.open(site.cache_path) as cache:
            (gap,) = cache.gaps(OHLC).coverages()["P0USDT", "1h"].gaps
            assert gap.cause is (Cause.NOT_FETCHED if silent == 1 else Cause.EXCHANGE_HAD_NONE)
            for question in cache.gaps(OHLC).to_ask(now_ms=now_ms):
                cache.gaps(OHLC).record_asked(question, answered=False, now_ms=now_ms)
    bad = [now_ms - HOUR_MS - now_ms % HOUR_MS, "1", "0.5", "2", "1", "1", now_ms - now_ms % HOUR_MS - 1]
    checked = check_klines(
        [[*bad, "1", 1, "1", "1", "0"]], symbol="P0USDT", interval=interval("1h"), server_time_ms=now_ms, now_ms=now_ms
    )
    site.store(OHLC, checked.frame, now_ms=now_ms + MINUTE_MS, rejected=checked.rejected)
    with Cache.open(site.cache_path) as cache:
        causes = [gap.cause for gap in cache.gaps(OHLC).coverages()["P0USDT", "1h"].gaps]
    assert causes == [Cause.EXCHANGE_HAD_NONE, Cause.QUARANTINED], "the pair is back, with a candle that is no good"


def test_a_pause_of_a_minute_is_no_gap(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS), now_ms=START_MS)
    now_ms = NOW_H + HOUR_MS + TAIL_GRACE_MS - 1
    site.store(OHLC, now_ms=now_ms)
    with Cache.open(site.cache_path) as cache:
        assert cache.gaps(OHLC).coverages()["P0USDT", "1h"].gaps == ()


def test_a_candle_that_failed_its_check_is_the_cause_of_its_gap(site: Site) -> None:
    bad = [hour(2), "1", "0.5", "2", "1", "1", hour(1) - 1, "1", 1, "1", "1", "0"]  # high below low
    checked = check_klines([bad], symbol="P0USDT", interval=interval("1h"), server_time_ms=START_MS, now_ms=START_MS)
    assert checked.frame.is_empty()
    site.store(OHLC, hourly(START_MS, skip=(hour(2), hour(3))), now_ms=START_MS, rejected=checked.rejected)
    site.publish(OHLC, now_ms=START_MS)
    assert gap_lines(site) == [(3, 3, "not_fetched", False), (2, 2, "quarantined", False)]
    site.tick(OHLC, hourly(START_MS + MINUTE_MS), now_ms=START_MS + MINUTE_MS)
    assert gap_lines(site) == [(3, 3, "not_fetched", True), (2, 2, "quarantined", True)]


def test_history_that_comes_later_extends_the_series_downwards(site: Site) -> None:
    site.store(OHLC, hourly(START_MS, back=2), now_ms=START_MS)
    old = hourly(START_MS, back=9).filter(pl.col("timestamp") <= when(hour(7)))
    site.store(OHLC, old, now_ms=START_MS + 1)
    with Cache.open(site.cache_path) as cache:
        coverage = cache.gaps(OHLC).coverages()[("P0USDT", "1h")]
    assert coverage.first == hour(9)
    assert [(gap.first_time, gap.last_time) for gap in coverage.gaps] == [(hour(6), hour(3))]


def test_pruning_opens_no_gap(site: Site) -> None:
    site.tick(OHLC, hourly(START_MS, back=24 * 100), now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        assert cache.prune(OHLC, now_ms=START_MS).rows > 200
        assert cache.gaps(OHLC).coverages()["P0USDT", "1h"].gaps == ()
    site.tick(OHLC, hourly(START_MS + HOUR_MS), now_ms=START_MS + HOUR_MS)
    assert gap_lines(site) == []


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


def corrected(rows: pl.DataFrame, *, by: float, at_ms: int) -> pl.DataFrame:
    return rows.filter(pl.col("timestamp") == when(hour(2))).with_columns(
        close=pl.col("close") + by, ingested_at=pl.lit(when(at_ms))
    )


def test_a_correction_is_published_with_old_and_new_values(site: Site) -> None:
    rows = hourly(START_MS)
    site.tick(OHLC, rows, now_ms=START_MS)
    for number, by in enumerate((1.0, 2.0), start=1):
        later = START_MS + number * MINUTE_MS
        site.tick(OHLC, corrected(rows, by=by, at_ms=later), now_ms=later)
    lines = ledger_on_hub(OHLC, CORRECTIONS, site.hub)
    assert lines["column"].to_list() == ["close"] * 2
    assert (lines["new"].cast(float) - lines["old"].cast(float)).to_list() == pytest.approx([1, 1])
    assert lines["corrected_at"].to_list() == [when(START_MS + number * MINUTE_MS) for number in (1, 2)]
    assert [json.loads(key)["timestamp"] for key in lines["key"]] == [iso(hour(2))] * 2


def test_a_correction_of_a_row_the_cache_has_pruned_is_seen_on_the_hub(site: Site) -> None:
    rows = hourly(START_MS)
    site.tick(OHLC, rows, now_ms=START_MS)
    late = START_MS + OHLC.retention_ms + 24 * HOUR_MS
    with Cache.open(site.cache_path) as cache:
        assert cache.prune(OHLC, now_ms=late).rows > 0
    site.tick(OHLC, corrected(rows, by=1.0, at_ms=late), now_ms=late)
    lines = ledger_on_hub(OHLC, CORRECTIONS, site.hub)
    assert lines["corrected_at"].to_list() == [when(late)]
    assert in_cache(CORRECTIONS, site.cache_path).equals(lines)


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


@pytest.mark.parametrize(
    ("healed", "last", "cause"),
    [(None, 4, "exchange_had_none"), (None, 1, "not_fetched"), (30, 4, "exchange_had_none"), (5, 4, "not_fetched")],
    ids=["open still", "fewer rows", "healed since", "healed before it was seen"],
)
def test_a_later_line_keeps_a_cause_only_of_the_same_gap(healed: int | None, last: int, cause: str) -> None:
    common = {"dataset": "ohlc", "series": "{}", "first_time": 1, "missing": 1, "asked_at": None, "asks": 0}
    earlier = {**common, "cause": "exchange_had_none", "last_time": last, "first_seen": 2, "healed_at": healed}
    later = {**common, "cause": "not_fetched", "last_time": 2, "first_seen": 20, "healed_at": 40}
    other = {**later, "first_time": 9, "last_time": 9, "updated_at": 1}
    lines = [frame_of(GAPS, [line]) for line in (earlier | {"updated_at": 30}, later | {"updated_at": 40}, other)]
    assert GAPS.merge(lines)["cause"].to_list() == [cause, "not_fetched"]
    assert GAPS.merge(lines[::-1]).equals(GAPS.merge(lines))


def test_the_cause_of_a_gap_is_one_of_those_the_card_explains() -> None:
    doc = next(column.doc for column in GAPS.columns if column.name == "cause")
    assert all(f"`{cause}`" in doc for cause in Cause)
