"""Gaps and corrections, from the fetch to the published ledger."""

import json

import polars as pl
import pytest

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.gaps import TAIL_GRACE_MS, Cause
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, iso
from datahub_assets.stores.cache.cache import Cache
from tests.stores.holes import NOW_H, gap_lines, hour, hourly, when
from tests.stores.world import CORRECTIONS, GAPS, START_MS, Site, in_cache, ledger_on_hub


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
