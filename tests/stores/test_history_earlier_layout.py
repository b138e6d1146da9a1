"""Files of a longer period, as an earlier layout had them: split when a month of theirs is built, each row once."""

import logging

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.history import Month, months
from datahub_assets.stores.fill import filling
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.hub import card, layout
from localhub.testing import HubServer
from tests.stores.made_history import MadeHistory, build, month_rows, remembered_is_true, told, waiting
from tests.stores.world import START_MS, Site, on_hub, paths_on_hub

YEAR = tuple(months(Month(2024, 1), Month(2024, 12)))
MONTH_FILES = [f"data/1h/{month}.parquet" for month in YEAR]
HOURS = 366 * 24


def year_of(pair: str, group: str) -> pl.DataFrame:
    return pl.concat([month_rows((pair, group), month, fetched_at=5) for month in YEAR])


def published(site: Site, files: dict[str, pl.DataFrame], *, window_start: int = START_MS) -> None:
    """A repo as an earlier version left it."""
    site.hub.create(OHLC)
    rows = sum(frame.height for frame in files.values())
    summary = card.Summary(window_start, rows, None, None)
    body = card.render(OHLC, repo_id="x/y", summary=summary, paths=list(files), ledgers=[])
    writes: dict[str, bytes] = {path: layout.write(OHLC, frame) for path, frame in files.items()}
    site.hub.commit(
        OHLC,
        writes={**writes, card.CARD_PATH: body},
        deletes=[],
        message="an earlier layout",
        parent=site.hub.head(OHLC),
    )


def test_a_year_is_split_into_months_when_one_of_them_is_built(site: Site, server: HubServer) -> None:
    year = year_of("BBBUSDT", "1h")
    late = year_of("ABCUSDT", "1h").filter(pl.col("timestamp").dt.month() == 3)
    published(site, {"data/1h/2024.parquet": year, "data/1h/2024-03.parquet": late})
    source = MadeHistory()
    build(site, source, "1h", "2024-11", now_ms=START_MS)
    server.faults.fail_after_commit(times=1)
    for minute in range(2):  # the first is not heard of
        site.publish(OHLC, now_ms=START_MS + minute * 60_000)
        assert paths_on_hub(OHLC, site.hub) == MONTH_FILES
    november = pl.concat([month_rows((pair, "1h"), Month(2024, 11), fetched_at=source.now_ms) for pair in source.pairs])
    wanted = pl.concat([november.join(year, on=list(OHLC.key), how="anti"), year, late]).sort(OHLC.file_order)
    assert on_hub(OHLC, site.hub).equals(wanted)
    assert told(site, "1h", "2024-11") == {(pair, "1h") for pair in source.pairs}
    assert (waiting(site), remembered_is_true(site)) == (0, True)
    head = site.hub.head(OHLC)
    written = layout.write(OHLC, wanted.filter(pl.col("timestamp").dt.month() == 3))
    assert site.hub.read(OHLC, "data/1h/2024-03.parquet", revision=head) == written, "as a publish writes it"


def test_a_year_of_which_some_is_live_still_gives_up_the_month_alone(site: Site) -> None:
    published(site, {"data/1h/2024.parquet": year_of("BBBUSDT", "1h")}, window_start=Month(2024, 12).start_ms)
    build(site, MadeHistory(), "1h", "2024-11", now_ms=Month(2024, 12).start_ms + 3_600_000)
    site.publish(OHLC, now_ms=Month(2024, 12).start_ms + 3_660_000)
    assert paths_on_hub(OHLC, site.hub) == ["data/1h/2024-11.parquet", "data/1h/2024.parquet"]
    assert on_hub(OHLC, site.hub).height == HOURS + 2 * 30 * 24


def test_a_year_that_makes_more_files_than_a_commit_takes_gives_up_the_month_alone(site: Site) -> None:
    published(site, {"data/30m/2024.parquet": year_of("BBBUSDT", "30m")})
    build(site, MadeHistory(), "30m", "2024-11", now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS)
    days = [f"data/30m/2024-11-{day:02}.parquet" for day in range(1, 31)]
    assert paths_on_hub(OHLC, site.hub) == [*days, "data/30m/2024.parquet"]
    assert on_hub(OHLC, site.hub).height == 2 * (HOURS + 2 * 30 * 24)


def test_a_month_of_a_fine_interval_is_split_into_days(site: Site) -> None:
    november = month_rows(("BBBUSDT", "30m"), Month(2024, 11), fetched_at=5)
    published(site, {"data/30m/2024-11.parquet": november})
    build(site, MadeHistory(), "30m", "2024-11", now_ms=START_MS)
    site.publish(OHLC, now_ms=START_MS)
    assert paths_on_hub(OHLC, site.hub) == [f"data/30m/2024-11-{day:02}.parquet" for day in range(1, 31)]
    assert on_hub(OHLC, site.hub).height == 3 * 2 * 30 * 24


@pytest.mark.parametrize("group", ["1h", "30m"])
def test_months_of_one_year_are_built_once_though_commits_come_late(site: Site, group: str) -> None:
    published(site, {f"data/{group}/2024.parquet": year_of("BBBUSDT", group)})
    minutes = iter(range(1, 1000))
    source = MadeHistory()
    fill = filling.Fill(
        wish=Wish("ohlc", "2024-01", "2024-03", (group,)),
        source=source,
        hub=site.hub,
        home=site.home,
        log=logging.getLogger(__name__),
        clock=lambda: START_MS,
        sleep=lambda _: void(site.publish(OHLC, now_ms=START_MS + next(minutes) * 60_000)),
        commit=lambda: None,
    )
    site.home.mkdir(exist_ok=True)
    filled = filling.run(fill)
    assert (filled.failed, filled.left, len(source.fetched)) == ({}, [], 9)
    quarter = (31 + 29 + 31) * 24
    assert on_hub(OHLC, site.hub).height == (HOURS + 2 * quarter) * (1 if group == "1h" else 2)


def void(_: object) -> None:
    """Nothing."""
