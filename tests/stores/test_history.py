"""Months of history over the real Hub: built, carried by a commit, and merged with what live rows brought."""

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import SourceUnavailable
from datahub_assets.domain.files.data_files import is_placed
from datahub_assets.domain.history import Month
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.publish import carried
from localhub.testing import HubServer
from tests.stores.made_history import MadeHistory, build, month_rows, remembered_is_true, told, waiting
from tests.stores.world import CORRECTIONS, START_MS, Site, candles, ledger_on_hub, on_hub, paths_on_hub

OCTOBER = "2025-10"
SERIES = [(pair, "1h") for pair in MadeHistory().pairs]


def expected(group: str, month: str, *, source: MadeHistory) -> pl.DataFrame:
    rows = [
        month_rows((pair, group), Month.parse(month), fetched_at=source.now_ms, value=source.values.get(pair, 100.0))
        for pair in source.pairs
    ]
    return pl.concat(rows).sort(OHLC.file_order)


def test_a_month_lands_with_where_it_came_from(site: Site) -> None:
    source = MadeHistory()
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    published = site.publish(OHLC, now_ms=START_MS)
    assert published.rows == 3 * 31 * 24
    assert on_hub(OHLC, site.hub).equals(expected("1h", OCTOBER, source=source))
    assert paths_on_hub(OHLC, site.hub) == ["data/1h/2025-10.parquet"]
    assert told(site, "1h", OCTOBER) == set(SERIES)
    assert (waiting(site), remembered_is_true(site)) == (0, True)
    with Cache.open(site.cache_path) as cache:
        known = cache.repo(OHLC).load()
    assert known is not None
    assert (known.rows, known.first, known.newest) == (
        3 * 31 * 24,
        Month(2025, 10).start_ms,
        Month(2025, 11).start_ms - 3_600_000,
    )
    told_card = site.hub.read(OHLC, card.CARD_PATH, revision=site.hub.head(OHLC)).decode()
    assert "path:\n    - sources/*/*.parquet" in told_card


def test_a_fine_month_is_files_of_days_as_a_publish_writes_them(site: Site) -> None:
    source = MadeHistory()
    build(site, source, "30m", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS)
    rows = expected("30m", OCTOBER, source=source)
    assert on_hub(OHLC, site.hub).equals(rows)
    paths = paths_on_hub(OHLC, site.hub)
    assert paths == [f"data/30m/2025-10-{day:02}.parquet" for day in range(1, 32)]
    first = site.hub.read(OHLC, paths[0], revision=site.hub.head(OHLC))
    day = rows.filter(pl.col("timestamp").dt.day() == 1)
    assert first == layout.write(OHLC, day)


def test_live_rows_of_the_month_stay_once_each(site: Site) -> None:
    october = Month(2025, 10)
    live = month_rows(("BBBUSDT", "1h"), october, fetched_at=START_MS - 1).filter(pl.col("timestamp").dt.day() > 20)
    other = month_rows(("ABCUSDT", "1h"), october, fetched_at=START_MS - 1).head(5)
    now = candles(START_MS, pairs=1, intervals=["1h"])
    site.tick(OHLC, pl.concat([live, other, now]), now_ms=START_MS)
    source = MadeHistory(values={"CCCUSDT": 7.0})
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS + 60_000)
    wanted = expected("1h", OCTOBER, source=source).join(live, on=["symbol", "timestamp"], how="anti")
    assert on_hub(OHLC, site.hub).equals(pl.concat([live, other, now, wanted]).sort(OHLC.file_order))
    assert ledger_on_hub(OHLC, CORRECTIONS, site.hub).is_empty()


def test_what_differs_from_live_rows_wins_and_is_told(site: Site) -> None:
    month = Month(2025, 10)
    live = month_rows(("BBBUSDT", "1h"), month, fetched_at=START_MS - 1, value=55.0).head(1)
    now = candles(START_MS, pairs=1, intervals=["1h"])
    site.tick(OHLC, pl.concat([live, now]), now_ms=START_MS)
    source = MadeHistory(now_ms=START_MS)
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS + 60_000)
    rows = pl.concat([expected("1h", OCTOBER, source=source), now])
    assert on_hub(OHLC, site.hub).equals(rows.sort(OHLC.file_order))
    assert set(ledger_on_hub(OHLC, CORRECTIONS, site.hub)["column"]) == {"open", "high", "low", "close"}


def test_a_publish_after_it_reads_nothing_and_loses_nothing(site: Site, server: HubServer) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    source = MadeHistory()
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS + 60_000)
    before = on_hub(OHLC, site.hub).height
    server.faults.seen.clear()
    later = START_MS + 120_000
    site.tick(OHLC, candles(later), now_ms=later)
    assert [one for one in server.faults.seen if one.startswith("GET")] == []
    assert on_hub(OHLC, site.hub).height == before
    with Cache.open(site.cache_path) as cache:
        assert cache.note(OHLC, "rows_owed") is None
        assert cache.waiting(OHLC) == 0


def test_a_month_the_live_chain_still_moves_is_not_built(site: Site) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    build(site, MadeHistory(), "30m", OCTOBER, now_ms=START_MS)
    with pytest.raises(ValueError, match="2025-11 is the live chain's"):
        build(site, MadeHistory(), "1h", "2025-11", now_ms=START_MS)


def test_a_row_that_was_forming_for_ever_is_final_now(site: Site) -> None:
    left = month_rows(("BBBUSDT", "1h"), Month(2025, 10), fetched_at=5).tail(1).with_columns(closed=False)
    site.tick(OHLC, pl.concat([left, candles(START_MS, pairs=1, intervals=["1h"])]), now_ms=START_MS)
    assert on_hub(OHLC, site.hub).filter(pl.col("symbol") == "BBBUSDT")["closed"].to_list() == [False]
    build(site, MadeHistory(), "1h", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS + 60_000)
    rows = on_hub(OHLC, site.hub)
    assert rows.filter(pl.col("symbol") == "BBBUSDT")["closed"].all()
    with Cache.open(site.cache_path) as cache:
        known = cache.repo(OHLC).load()
    assert known is not None
    assert known.rows == rows.height


def test_a_month_whose_files_changed_meanwhile_is_due_again(site: Site) -> None:
    source = MadeHistory()
    build(site, source, "1h", OCTOBER, now_ms=START_MS, pairs=["AAAUSDT"])
    build(site, source, "1h", OCTOBER, now_ms=START_MS + 1, pairs=["BBBUSDT"])
    site.publish(OHLC, now_ms=START_MS)
    assert told(site, "1h", OCTOBER) == {("AAAUSDT", "1h")}
    assert waiting(site) == 0
    build(site, source, "1h", OCTOBER, now_ms=START_MS, pairs=["BBBUSDT", "CCCUSDT"])
    site.publish(OHLC, now_ms=START_MS + 60_000)
    assert on_hub(OHLC, site.hub).equals(expected("1h", OCTOBER, source=source))


def test_a_month_whose_content_is_gone_is_due_again_and_others_land(site: Site, server: HubServer) -> None:
    source = MadeHistory(values={"AAAUSDT": 31.0})  # of no other test: the Hub keeps equal contents once
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    server.collect_garbage()
    build(site, source, "1h", "2025-09", now_ms=START_MS)
    for minute in range(2):
        site.publish(OHLC, now_ms=START_MS + minute * 60_000)
    assert (told(site, "1h", OCTOBER), told(site, "1h", "2025-09")) == (set(), set(SERIES))
    assert on_hub(OHLC, site.hub).equals(expected("1h", "2025-09", source=source))
    assert waiting(site) == 0


def test_a_commit_we_did_not_hear_of_is_found(site: Site, server: HubServer) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    build(site, MadeHistory(), "1h", OCTOBER, now_ms=START_MS)
    server.faults.fail_after_commit(times=1)
    published = site.publish(OHLC, now_ms=START_MS + 60_000)
    assert published.reason is None
    assert (waiting(site), remembered_is_true(site)) == (0, True)
    assert told(site, "1h", OCTOBER) == set(SERIES)
    assert published.rows == 3 * 31 * 24


def test_no_commit_carries_more_than_forty_files(site: Site) -> None:
    source = MadeHistory(pairs=("AAAUSDT",))
    for month in ("2025-09", OCTOBER):
        build(site, source, "30m", month, now_ms=START_MS)
    build(site, source, "1h", OCTOBER, now_ms=START_MS)
    counts = []
    for minute in range(2):
        before = set(site.hub.files(OHLC, revision=site.hub.head(OHLC)).values())
        site.publish(OHLC, now_ms=START_MS + minute * 60_000)
        after = set(site.hub.files(OHLC, revision=site.hub.head(OHLC)).values())
        counts.append(sum(is_placed(OHLC, one.path) or one.path.startswith("sources/") for one in after - before))
    assert (counts, waiting(site)) == ([33, 32], 0)
    assert max(counts) <= carried.MOST_FILES


@pytest.mark.parametrize(("most_bytes", "told"), [(10_000, ["2025-10"]), (10_000_000, [])])
def test_a_file_that_is_too_large_is_told(
    site: Site, caplog: pytest.LogCaptureFixture, most_bytes: int, told: list[str]
) -> None:
    build(site, MadeHistory(), "1h", OCTOBER, now_ms=START_MS, most_file_bytes=most_bytes)
    assert [one.getMessage()[8:15] for one in caplog.records if "a file should have" in one.getMessage()] == told


def test_a_series_that_cannot_be_asked_for_is_left_for_later(site: Site) -> None:
    source = MadeHistory(errors={"BBBUSDT": SourceUnavailable("down")}, undone={"CCCUSDT"})
    built = build(site, source, "1h", OCTOBER, now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS)
    assert list(built.failed) == [("BBBUSDT", "1h")]
    assert [line.verdict for line in built.bad] == ["short"]
    assert told(site, "1h", OCTOBER) == {("AAAUSDT", "1h")}


def test_a_source_that_is_down_fails_the_month(site: Site) -> None:
    pairs = ("AAAUSDT", "BBBUSDT")
    source = MadeHistory(pairs=pairs, errors=dict.fromkeys(pairs, SourceUnavailable("down")))
    with pytest.raises(SourceUnavailable):
        build(site, source, "1h", OCTOBER, now_ms=START_MS)
    assert waiting(site) == 0


def test_an_empty_budget_keeps_history_waiting(site: Site) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    build(site, MadeHistory(), "1h", OCTOBER, now_ms=START_MS)
    site.limits = type(site.limits)(publish_interval_s=300, commits_per_hour=100)
    assert "allows the next commit" in str(site.publish(OHLC, now_ms=START_MS + 60_000).reason)
    assert waiting(site) == 1
