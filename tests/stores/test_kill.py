"""SIGKILL between the first byte landed and the row marked: the next run converges, nothing is lost or doubled."""

import random
from collections.abc import Callable

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from tests.stores.killed import Job, Moment, run_and_die
from tests.stores.world import START_MS, Site, candles, content, in_cache, market, on_hub

MakeJob = Callable[[DatasetSpec, int], Job]
BEFORE_LANDED = [
    Moment("land", "call"),
    Moment("_write_durably", "call"),
    Moment("_write_durably", "return"),
]
AFTER_LANDED = [
    Moment("sync_folder", "call"),
    Moment("land", "return"),
    Moment("Database.open", "return"),
    Moment("read_landed", "return"),
    Moment("Cache.upsert", "call"),
    Moment("Table.matching", "return"),
    Moment("Table.put", "return"),
    Moment("SeriesState.note_rows", "return"),
    Moment("Cache.upsert", "return"),
    Moment("keep", "return"),
    Moment("discard", "call"),
    Moment("discard", "return"),
    Moment("Cache.drain", "return"),
    Moment("publish", "call"),
    Moment("outbox", "return"),
    Moment("plan", "return"),
    Moment("merge_into_head", "return"),
    Moment("write_files", "return"),
    Moment("Hub.commit", "call"),
    Moment("_fetch_upload_modes", "return"),
    Moment("lfs_upload", "call"),
    Moment("lfs_upload", "return"),
    Moment("_send_commit", "call"),
    Moment("_send_commit", "return"),
    Moment("Hub.commit", "return"),
    Moment("RepoMemory.add_commit", "return"),
    Moment("Cache.mark_published", "call"),
    Moment("Table.mark", "return"),
    Moment("Cache.mark_published", "return"),
    Moment("RepoMemory.save", "return"),
    Moment("note_commit", "return"),
    Moment("Cache.close", "call", 2),
]
FIRST_RUN = [Moment("Hub.create", "return"), Moment("look", "return"), Moment("_send_commit", "return")]


def fetched(spec: DatasetSpec, now_ms: int) -> pl.DataFrame:
    return market(now_ms) if spec is MARKET else candles(now_ms)


@pytest.fixture
def job(site: Site, hub: Hub) -> MakeJob:
    token = hub._api.token
    assert isinstance(token, str)
    return lambda spec, now_ms: Job(site.home, hub.endpoint, token, spec.name, now_ms)


def recover(
    site: Site, spec: DatasetSpec, *, now_ms: int, before: list[pl.DataFrame], killed: pl.DataFrame, landed: bool
) -> None:
    """The next run, first without and then with a new fetch; after each the Hub holds what it must."""
    site.store(spec, now_ms=now_ms)
    site.publish(spec, now_ms=now_ms)
    seen = [*before, killed] if landed else before
    check(site, spec, seen)
    later = now_ms + MINUTE_MS
    site.tick(spec, fetched(spec, later), now_ms=later)
    check(site, spec, [*seen, fetched(spec, later)])
    assert site.publish(spec, now_ms=later + MINUTE_MS).commit is None, "it has settled"


def check(site: Site, spec: DatasetSpec, frames: list[pl.DataFrame]) -> None:
    cached = in_cache(spec, site.cache_path)
    keys = pl.concat([frame.select(spec.key) for frame in frames]).unique() if frames else cached.select(spec.key)
    assert cached.height == keys.height
    if frames:
        assert content(spec, cached) >= content(spec, frames[-1])
        assert on_hub(spec, site.hub).equals(cached), "upstream = cache = Hub"
    with Cache.open(site.cache_path) as cache:
        assert cache.waiting(spec) == 0


@pytest.mark.parametrize("moment", [*BEFORE_LANDED, *AFTER_LANDED][1::3], ids=str)
def test_killed_in_a_tick_the_next_run_converges(site: Site, job: MakeJob, moment: Moment) -> None:
    tick_and_die(site, job, (MARKET, OHLC)[len(str(moment)) % 2], moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [*BEFORE_LANDED, *AFTER_LANDED], ids=str)
@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
def test_killed_at_each_moment_of_each_chain(site: Site, job: MakeJob, spec: DatasetSpec, moment: Moment) -> None:
    tick_and_die(site, job, spec, moment)


def tick_and_die(site: Site, job: MakeJob, spec: DatasetSpec, moment: Moment) -> None:
    first = fetched(spec, START_MS)
    site.tick(spec, first, now_ms=START_MS)
    now_ms = START_MS + MINUTE_MS
    assert run_and_die(job(spec, now_ms), moment) == -9, "the moment came"
    killed = fetched(spec, now_ms)
    recover(site, spec, now_ms=now_ms + MINUTE_MS, before=[first], killed=killed, landed=moment not in BEFORE_LANDED)


@pytest.mark.parametrize("moment", FIRST_RUN, ids=str)
def test_killed_in_the_first_run_of_all(site: Site, job: MakeJob, moment: Moment) -> None:
    assert run_and_die(job(OHLC, START_MS), moment) == -9
    recover(site, OHLC, now_ms=START_MS + MINUTE_MS, before=[], killed=fetched(OHLC, START_MS), landed=True)


def test_killed_again_and_again(site: Site, job: MakeJob) -> None:
    seen = []
    chosen = random.Random(4)  # noqa: S311 - a choice to repeat, no secret
    for tick in range(4):
        now_ms = START_MS + tick * 25 * MINUTE_MS
        moment = chosen.choice(AFTER_LANDED)
        code = run_and_die(job(MARKET, now_ms), moment)
        assert code in {-9, 0}, "a moment may not come, as when nothing has to be uploaded"
        seen.append(fetched(MARKET, now_ms))
    recover(site, MARKET, now_ms=now_ms + MINUTE_MS, before=seen[:-1], killed=seen[-1], landed=True)


def test_left_alone_the_process_ends_well(site: Site, job: MakeJob) -> None:
    assert run_and_die(job(MARKET, START_MS), None) == 0
    check(site, MARKET, [fetched(MARKET, START_MS)])
