"""The proof of publishing: right at every hour, and a Hub that cannot be read is a warning in words."""

from itertools import count
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs.checks import read_back
from datahub_assets.domain.times import MINUTE_MS, utc_datetime
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.defs.conftest import Bench
from tests.stores.world import Site, at, market

_ACCOUNTS = count(1)


@pytest.fixture
def site(server: HubServer, tmp_path: Path) -> Site:
    return Site(tmp_path / "site", Hub(server.url, server.add_user(f"proof-{next(_ACCOUNTS)}")))


def proof(site: Site) -> read_back.Sample:
    with Cache.open(site.cache_path) as cache:
        return read_back.compare(MARKET, cache=cache, hub=site.hub)


def test_what_is_published_around_midnight_is_found(site: Site) -> None:
    start = at("2025-11-22T23:40")
    for minute in range(35):  # on to 00:14, past the moment at which the window rolls
        now_ms = start + minute * MINUTE_MS
        assert site.tick(MARKET, market(now_ms), now_ms=now_ms).commit is not None
        sample = proof(site)
        assert (sample.problems, sample.files <= 2) == ([], True), f"minute {minute}"
        assert sample.rows, f"minute {minute}"


def test_a_row_that_changes_in_an_older_file_is_found(site: Site) -> None:
    start = at("2025-11-22T12:11")
    for minute in range(20):
        site.tick(MARKET, market(start + minute * MINUTE_MS), now_ms=start + minute * MINUTE_MS)
    later = start + 20 * MINUTE_MS
    old = market(start, coins=1).with_columns(
        market_cap_rank=pl.lit(77, dtype=pl.Int64), ingested_at=pl.lit(utc_datetime(later))
    )
    site.tick(MARKET, old, now_ms=later)
    assert proof(site) == read_back.Sample(site.hub.head(MARKET), rows=1, files=1)


def test_rows_in_very_many_files_are_compared_as_far_as_is_cheap(site: Site) -> None:
    start = at("2025-11-22T12:11")
    for minute in range(read_back.MOST_FILES + 3):
        site.tick(MARKET, market(start + minute * MINUTE_MS, coins=1), now_ms=start + minute * MINUTE_MS)
    later = start + 20 * MINUTE_MS
    for minute in range(read_back.MOST_FILES + 3):
        old = market(start + minute * MINUTE_MS, coins=1).with_columns(
            market_cap_rank=pl.lit(77, dtype=pl.Int64), ingested_at=pl.lit(utc_datetime(later))
        )
        site.store(MARKET, old, now_ms=later)
    site.publish(MARKET, now_ms=later)
    sample = proof(site)
    assert (sample.rows, sample.files, sample.problems) == (read_back.MOST_FILES, read_back.MOST_FILES, [])


@pytest.mark.parametrize("status", [404, 429])
def test_a_hub_that_refuses_to_be_read_is_a_warning(bench: Bench, status: int) -> None:
    bench.coingecko.hold()
    assert bench.run(MARKET).success
    bench.server.faults.answer(status, error="not now", on="resolve", times=1000)
    result = bench.run(MARKET)
    (told,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "hub_equals_cache"]
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "could not be read back" in (told.description or "")
    assert result.success
