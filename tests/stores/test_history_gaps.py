"""What history means for the ledger of gaps: what it misses is told, what it fills is closed, here and on the Hub."""

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.gaps import Cause
from datahub_assets.domain.history import Month
from datahub_assets.stores.cache.cache import Cache
from localhub.testing import HubServer
from tests.stores.made_history import MadeHistory, build, month_rows
from tests.stores.world import GAPS, START_MS, Site, candles, ledger_on_hub

OCTOBER = Month(2025, 10)
SERIES = ("AAAUSDT", "1h")
NOW = 1256
"""The last hour that should be there by now, counted from the begin of October."""


def told(site: Site) -> list[tuple[int, int, str, bool]]:
    """The lines of the ledger about the first pair: the hours of October, why, and whether they are there now."""
    lines = ledger_on_hub(OHLC, GAPS, site.hub).filter(pl.col("series").str.contains(SERIES[0]))
    assert (lines["missing"] == (lines["last_time"] - lines["first_time"]).dt.total_hours() + 1).all()
    hours = [((pl.col(name).dt.epoch("ms") - OCTOBER.start_ms) // 3_600_000) for name in ("first_time", "last_time")]
    return lines.select(*hours, "cause", pl.col("healed_at").is_not_null()).rows()


def fill(site: Site, source: MadeHistory, *, now_ms: int) -> None:
    build(site, source, "1h", str(OCTOBER), now_ms=now_ms, pairs=[SERIES[0]])
    site.publish(OHLC, now_ms=now_ms)


@pytest.mark.parametrize("cause", [Cause.NOT_FETCHED, Cause.EXCHANGE_HAD_NONE])
def test_a_gap_is_told_and_closed_as_far_as_a_later_reading_fills_it(site: Site, cause: Cause) -> None:
    fill(site, MadeHistory(holes={SERIES[0]: (10, 19, cause)}), now_ms=START_MS)
    assert told(site) == [(10, 19, cause, False)]
    fill(site, MadeHistory(holes={SERIES[0]: (15, 16, Cause.EXCHANGE_HAD_NONE)}), now_ms=START_MS + 60_000)
    rest = Cause.EXCHANGE_HAD_NONE
    assert told(site) == [(10, 14, cause, True), (15, 16, rest, False), (17, 19, cause, True)]
    fill(site, MadeHistory(), now_ms=START_MS + 120_000)
    assert [closed for *_, closed in told(site)] == [True] * 3


def test_what_live_rows_have_is_no_gap_of_history(site: Site) -> None:
    live = month_rows(SERIES, OCTOBER, fetched_at=START_MS - 1).slice(12, 3)
    site.tick(OHLC, pl.concat([live, candles(START_MS, pairs=1, intervals=["1h"])]), now_ms=START_MS)
    fill(site, MadeHistory(holes={SERIES[0]: (10, 19, Cause.NOT_FETCHED)}), now_ms=START_MS + 60_000)
    lines = [(10, 11, False), (15, 19, False), (20, 743, True), (744, NOW, False)]
    assert told(site) == [(first, last, Cause.NOT_FETCHED, closed) for first, last, closed in lines]


def test_a_gap_between_live_rows_is_closed_for_the_cache_too(site: Site) -> None:
    rows = month_rows(SERIES, OCTOBER, fetched_at=START_MS - 1)
    live = pl.concat([rows.head(5), rows.slice(700, 5), candles(START_MS, pairs=1, intervals=["1h"])])
    site.tick(OHLC, live, now_ms=START_MS)
    late = (744, NOW, Cause.NOT_FETCHED, False)
    assert told(site) == [(5, 699, Cause.NOT_FETCHED, False), (705, NOW, Cause.NOT_FETCHED, False)]
    fill(site, MadeHistory(holes={SERIES[0]: (20, 20, Cause.EXCHANGE_HAD_NONE)}), now_ms=START_MS + 60_000)
    after = [
        (5, 19, Cause.NOT_FETCHED, True),
        (20, 20, Cause.EXCHANGE_HAD_NONE, False),
        (21, 699, Cause.NOT_FETCHED, True),
        (705, 743, Cause.NOT_FETCHED, True),
        late,
    ]
    assert told(site) == after
    with Cache.open(site.cache_path) as cache:
        questions = cache.gaps(OHLC).to_ask(now_ms=START_MS + 90_000)
        asked = [(one.gap.first_time - OCTOBER.start_ms) // 3_600_000 for one in questions]
        assert asked == [20, 744], "nobody asks for what is there"
        cache.gaps(OHLC).record_refused(questions[0], now_ms=START_MS + 90_000)
    site.publish(OHLC, now_ms=START_MS + 120_000)
    assert told(site) == after, "what the cache tells later undoes nothing"


def test_a_commit_we_did_not_hear_of_closes_gaps_as_well(site: Site, server: HubServer) -> None:
    rows = month_rows(SERIES, OCTOBER, fetched_at=START_MS - 1)
    live = pl.concat([rows.head(5), rows.slice(700, 5), candles(START_MS, pairs=1, intervals=["1h"])])
    site.tick(OHLC, live, now_ms=START_MS)
    server.faults.fail_after_commit(times=1)
    fill(site, MadeHistory(), now_ms=START_MS + 60_000)
    site.publish(OHLC, now_ms=START_MS + 120_000)
    lines = [(5, 699, True), (705, 743, True), (744, NOW, False)]
    assert told(site) == [(first, last, Cause.NOT_FETCHED, closed) for first, last, closed in lines]
    with Cache.open(site.cache_path) as cache:
        (gap,) = cache.gaps(OHLC).coverages()[SERIES].gaps
    assert gap.first_time == OCTOBER.end_ms
