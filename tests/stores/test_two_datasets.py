"""Two datasets of candles in one cache: whatever is done for one leaves the other's rows and lines alone."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrections_of, gaps_of, parts_of, series_text
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.publish import chain_facts
from datahub_assets.stores.recovery.rebuild import rebuild
from tests.stores.foreign_world import listed
from tests.stores.world import START_MS, Site, candles, in_cache, ledger_on_hub, on_hub

OTHER = replace(
    OHLC,
    name="ohlc_b",
    repo_name="crypto-ohlc-b",
    cache_table="cached_ohlc_b",
    source_asset="ohlc_b_candles",
    hub_asset="crypto_ohlc_b",
)
BOTH = (OHLC, OTHER)
NOW_H = START_MS - START_MS % HOUR_MS


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    yield from listed(OTHER)


def ledger(spec: DatasetSpec, name: str) -> LedgerSpec:
    found = gaps_of(spec) if name == "gaps" else corrections_of(spec)
    assert found is not None
    return found


def hourly(now_ms: int, *, skip: tuple[int, ...] = ()) -> pl.DataFrame:
    return candles(now_ms, pairs=1, back=6, intervals=["1h"], skip=[NOW_H - ago * HOUR_MS for ago in skip])


def corrected(by: float) -> pl.DataFrame:
    rows = hourly(START_MS).filter(pl.col("timestamp").dt.epoch("ms") == NOW_H - HOUR_MS)
    return rows.with_columns(close=pl.col("close") + by, ingested_at=pl.col("ingested_at") + pl.duration(minutes=1))


@pytest.fixture
def filled(site: Site) -> Site:
    """Both have a gap of their own at the same series and time, a correction of the same candle, and a bad row."""
    for spec, skip, by in ((OHLC, (3, 4), 1.0), (OTHER, (4,), 2.0)):
        site.store(spec, hourly(START_MS, skip=skip), now_ms=START_MS)
        bad = Rejected.of(spec, subject="P0USDT 1h", reason="bad", raw=[], at_ms=NOW_H - skip[-1] * HOUR_MS)
        rejected = (bad,) if spec is OTHER else ()
        site.store(spec, corrected(by), now_ms=START_MS + MINUTE_MS, rejected=rejected)
    return site


def told(site: Site, spec: DatasetSpec) -> list[pl.DataFrame]:
    """All that the cache has of a dataset."""
    return [in_cache(part, site.cache_path) for part in parts_of(spec)]


def same(before: list[pl.DataFrame], after: list[pl.DataFrame]) -> bool:
    return all(one.equals(other) for one, other in zip(before, after, strict=True))


def waiting(site: Site, spec: DatasetSpec) -> list[int]:
    with Cache.open(site.cache_path) as cache:
        return [cache.waiting(part) for part in parts_of(spec)]


def test_each_has_lines_of_its_own(filled: Site) -> None:
    with Cache.open(filled.cache_path) as cache:
        facts = {spec.name: chain_facts.open_gaps(cache, spec) for spec in BOTH}
        gaps = {spec.name: cache.gaps(spec).coverages()["P0USDT", "1h"].gaps for spec in BOTH}
        asked = {spec.name: len(cache.gaps(spec).to_ask(now_ms=START_MS)) for spec in BOTH}
    assert facts == {"ohlc": {"not_fetched": 1}, "ohlc_b": {"quarantined": 1}}
    assert {name: [(NOW_H - gap.first_time) // HOUR_MS for gap in found] for name, found in gaps.items()} == {
        "ohlc": [4],
        "ohlc_b": [4],
    }
    assert asked == {"ohlc": 1, "ohlc_b": 1}
    for spec, by in zip(BOTH, (1.0, 2.0), strict=True):
        lines = in_cache(ledger(spec, "corrections"), filled.cache_path)
        assert set(lines["dataset"]) == {spec.name}
        assert float(lines["new"][0]) - float(lines["old"][0]) == pytest.approx(by)
        assert in_cache(ledger(spec, "gaps"), filled.cache_path)["series"].to_list() == [
            series_text(spec, ("P0USDT", "1h"))
        ]


def test_publishing_one_leaves_the_other_waiting(filled: Site) -> None:
    before = waiting(filled, OTHER)
    assert all(before)
    filled.publish(OHLC, now_ms=START_MS + 2 * MINUTE_MS)
    assert (waiting(filled, OHLC), waiting(filled, OTHER)) == ([0, 0, 0], before)
    for name in ("gaps", "corrections"):
        assert set(ledger_on_hub(OHLC, ledger(OHLC, name), filled.hub)["dataset"]) == {"ohlc"}


def test_answers_about_a_gap_of_one_say_nothing_of_the_other(filled: Site) -> None:
    before = told(filled, OTHER)
    with Cache.open(filled.cache_path) as cache:
        (question,) = cache.gaps(OHLC).to_ask(now_ms=START_MS)
        cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 2 * MINUTE_MS)
    filled.store(OHLC, hourly(START_MS + MINUTE_MS), now_ms=START_MS + 3 * MINUTE_MS)
    assert in_cache(ledger(OHLC, "gaps"), filled.cache_path)["healed_at"].null_count() == 0
    assert same(before, told(filled, OTHER))


@pytest.mark.parametrize("spec", BOTH, ids=lambda spec: spec.name)
def test_one_starts_over_and_the_other_does_not(filled: Site, spec: DatasetSpec) -> None:
    (other,) = (one for one in BOTH if one is not spec)
    for one in BOTH:
        filled.publish(one, now_ms=START_MS + 2 * MINUTE_MS)
    before = told(filled, spec), told(filled, other)
    with Cache.open(filled.cache_path) as cache:
        last = cache.series(other).last_times()
        cache.start_over(spec, now_ms=START_MS)
        assert (cache.series(spec).last_times(), cache.series(other).last_times()) == ({}, last)
    assert all(waiting(filled, spec))
    assert waiting(filled, other) == [0, 0, 0]
    assert same(before[1], told(filled, other))
    assert same(before[0][::2], told(filled, spec)[::2])
    assert filled.publish(other, now_ms=START_MS + 3 * MINUTE_MS).commit is None


def test_pruning_one_leaves_the_other(filled: Site) -> None:
    for spec in BOTH:
        filled.publish(spec, now_ms=START_MS + 2 * MINUTE_MS)
    before = told(filled, OTHER)
    with Cache.open(filled.cache_path) as cache:
        assert cache.prune(OHLC, now_ms=START_MS + OHLC.retention_ms + 24 * HOUR_MS).rows
        assert cache.table(OTHER).count() == before[0].height
    assert same(before, told(filled, OTHER))


def test_a_cache_made_anew_has_each_ones_own(filled: Site) -> None:
    for spec in BOTH:
        filled.publish(spec, now_ms=START_MS + 2 * MINUTE_MS)
    before = [told(filled, spec) for spec in BOTH]
    for spec in BOTH:
        assert on_hub(spec, filled.hub).equals(in_cache(spec, filled.cache_path))
    rebuild(filled.cache_path, BOTH, hub=filled.hub, landing=filled.home / "landing", now_ms=START_MS + 3 * MINUTE_MS)
    for spec, lines in zip(BOTH, before, strict=True):
        assert same(lines, told(filled, spec))
        assert waiting(filled, spec) == [0, 0, 0]
