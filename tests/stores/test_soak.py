"""A day on a fake clock, over hours and midnight, with a Hub that fails at random: in the end nothing is missing."""

import random
from contextlib import suppress

import polars as pl
import pytest

from datahub_assets.domain.datasets import MARKET, OHLC, DatasetSpec
from datahub_assets.domain.errors import HubError
from datahub_assets.domain.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.domain.partitions import is_data, is_small
from datahub_assets.domain.rows import merge
from datahub_assets.stores.budget import Limits
from datahub_assets.stores.cache import Cache
from localhub.testing import HubServer
from tests.stores.test_hub_faults import PASSING
from tests.stores.world import Site, at, candles, content, in_cache, market, on_hub, paths_on_hub

START_MS = at("2025-12-31T05:00")
LIMITS = Limits(publish_interval_s=60, commits_per_hour=120)


def misbehave(server: HubServer, chosen: random.Random) -> None:
    """At one tick in five something goes wrong; what was ordered and did not come is called off."""
    server.faults.clear()
    roll = chosen.random()
    if roll < 0.15:
        PASSING[chosen.choice(sorted(PASSING))](server)
    elif roll < 0.16:
        server.faults.rate_limit(retry_after_s=chosen.choice([30, 300]))
    elif roll < 0.2:
        server.faults.answer(503, error="down", on="", times=40)


def soak(site: Site, server: HubServer, *, minutes: int, step: int) -> dict[str, pl.DataFrame]:
    site.limits = LIMITS
    chosen = random.Random(20251231)  # noqa: S311 - a sequence to repeat, no secret
    frames: dict[str, list[pl.DataFrame]] = {MARKET.name: [], OHLC.name: []}
    for minute in range(0, minutes, step):
        for spec, fetch in ((MARKET, market), (OHLC, candles)):
            now_ms = START_MS + minute * MINUTE_MS
            misbehave(server, chosen)
            frames[spec.name].append(fetch(now_ms))
            site.store(spec, frames[spec.name][-1], now_ms=now_ms)
            with Cache.open(site.cache_path) as cache:
                cache.prune(spec, now_ms=now_ms)
            with suppress(HubError):
                site.publish(spec, now_ms=now_ms)
    server.faults.clear()
    return {spec.name: merge(spec, frames[spec.name]) for spec in (MARKET, OHLC)}


def check(site: Site, everything: dict[str, pl.DataFrame], *, end_ms: int) -> None:
    for spec in (MARKET, OHLC):
        site.publish(spec, now_ms=end_ms)
        held = on_hub(spec, site.hub)
        assert content(spec, held) == content(spec, everything[spec.name]), "the Hub holds exactly what upstream sent"
        cached = in_cache(spec, site.cache_path)
        assert held.join(cached, on=list(spec.key), how="semi").equals(cached)
        check_layout(spec, site)
    with Cache.open(site.cache_path) as cache:
        hours = cache.database.rows("SELECT at / ?, count(*) FROM commits GROUP BY 1", (HOUR_MS,))
    assert max(count for _, count in hours) <= LIMITS.commits_per_hour


def check_layout(spec: DatasetSpec, site: Site) -> None:
    small = [path for path in paths_on_hub(spec, site.hub) if is_small(spec, path)]
    sealed = [path for path in paths_on_hub(spec, site.hub) if is_data(path) and path not in small]
    if spec is MARKET:
        assert sealed == ["data/2025-12-31.parquet", "data/2026-01-01.parquet"]
        assert len(small) <= 70
    else:
        assert sealed == ["data/1d/2025.parquet", "data/1h/2025-12.parquet"]


def test_a_few_hours(site: Site, server: HubServer) -> None:
    minutes = 22 * 60
    everything = soak(site, server, minutes=minutes, step=40)
    check(site, everything, end_ms=START_MS + minutes * MINUTE_MS + HOUR_MS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_of_minutes(site: Site, server: HubServer) -> None:
    everything = soak(site, server, minutes=24 * 60, step=1)
    check(site, everything, end_ms=START_MS + DAY_MS + HOUR_MS)
