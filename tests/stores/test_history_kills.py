"""A fill that is killed at any moment goes on where it was: afterwards each row is there once, and nothing is due."""

from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.fill import filling
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.publisher import publish
from localhub.testing import HubServer
from tests.stores import killed
from tests.stores.killed import Moment
from tests.stores.made_history import MadeHistory, remembered_is_true, waiting
from tests.stores.world import NO_LIMITS, START_MS, Site, candles, on_hub

WISH = Wish("ohlc", "2025-09", "2025-10", ("30m", "1h"))
ROWS = 3 * 61 * 24 * 3
MOMENTS = [
    Moment("Hub.upload", "return", 2),
    Moment("Hub.commit", "return", 2),
    Moment("discard", "call", 1),
]
"""Before a report is written, before a commit is noted, and before its reports are gone."""
MORE_MOMENTS = [
    Moment("build", "call", 2),
    Moment("HeldRows.__init__", "return", 2),
    Moment("MonthMerge.add", "call", 5),
    Moment("MonthFiles.close", "return", 3),
    Moment("Hub.upload", "call", 2),
    Moment("save", "call", 2),
    Moment("save", "return", 2),
    Moment("merge_into_head", "return", 2),
    Moment("Hub.commit", "call", 2),
    Moment("note_commit", "call", 2),
    Moment("RepoMemory.save", "return", 2),
    Moment("discard", "return", 1),
]


def fill(home: Path, endpoint: str, token: str) -> MadeHistory:
    """What `datahub history fill` does, each second one later than the one before."""
    now = iter(range(START_MS + 120_000, START_MS + 10_000_000, 2_000))
    hub, source = Hub(endpoint, token), MadeHistory()
    with Cache.open(home / "cache.sqlite3") as cache:
        made = filling.Fill(
            wish=WISH,
            source=source,
            hub=hub,
            home=home,
            log=Site(home, hub).work(OHLC, cache=cache, now_ms=0).log,
            clock=lambda: next(now),
            sleep=lambda _: None,
            commit=lambda: publish(
                OHLC, cache=cache, hub=hub, limits=NO_LIMITS, now_ms=next(now), sleep=lambda _: None
            ),
        )
        filled = filling.run(made)
    assert (filled.failed, filled.left) == ({}, [])
    return source


def _fill_and_die(home: Path, endpoint: str, token: str, moment: Moment) -> None:
    killed._die_at(moment)
    fill(home, endpoint, token)


@pytest.mark.parametrize(
    "moment", [*MOMENTS, *(pytest.param(one, marks=pytest.mark.slow) for one in MORE_MOMENTS)], ids=str
)
def test_killed_and_run_again_each_row_is_there_once(site: Site, server: HubServer, moment: Moment) -> None:
    live = candles(START_MS)
    site.tick(OHLC, live, now_ms=START_MS)
    token = str(site.hub._api.token)
    assert killed._outcome(_fill_and_die, site.home, server.url, token, moment) == -9
    fill(site.home, server.url, token)
    assert on_hub(OHLC, site.hub).height == ROWS + live.height
    assert (waiting(site), remembered_is_true(site)) == (0, True)
    assert fill(site.home, server.url, token).fetched == []
