"""Open gaps that another installation published: closed when this cache has their candles.

A machine that is replaced leaves open gaps in the ledger; the installation that follows it closes them here.
"""

from typing import Any, Final

import polars as pl

from datahub_assets.datasets.candles import gaps
from datahub_assets.datasets.candles.gaps import CandleGap, Cause
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.ledgers import GAPS
from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores.cache import repo_state, series
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.tables import Table
from datahub_assets.stores.hub import layout

NOTE: Final = "inherited_from"


def close(spec: DatasetSpec, *, cache: Cache, now_ms: int) -> int:
    """Once for each repo, after the first publish to it: close what our candles refute; returns how many lines.

    The next commit carries them. Lines from before our own first candle stay as they are: nothing here knows better.
    """
    seen = repo_state.load(cache.database, spec)
    if GAPS not in ledgers_of(spec) or seen is None or cache.note(spec, NOTE) == seen.repo:
        return 0
    content = repo_state.contents(cache.database, spec, [GAPS.path]).get(GAPS.path)
    if content is None:
        return 0  # nothing of ours has been published there yet
    published = layout.read(GAPS, content, name=f"{GAPS.path} at {seen.head}")
    with cache.database.transaction():
        lines = _closed(spec, published.filter(pl.col("healed_at").is_null()), cache=cache, now_ms=now_ms)
        if lines:
            frame = pl.DataFrame(lines, schema=GAPS.polars_schema())
            Table.of(GAPS).put(cache.database, frame, version=cache.next_version())
        cache.set_note(spec, NOTE, seen.repo)
    return len(lines)


def _closed(spec: DatasetSpec, published: pl.DataFrame, *, cache: Cache, now_ms: int) -> list[dict[str, Any]]:
    times = ["first_time", "last_time", "first_seen", "asked_at", "updated_at"]
    coverages = cache.coverages(spec)
    lines = []
    for line in published.with_columns(pl.col(times).dt.epoch("ms")).iter_rows(named=True):
        names = (line["symbol"], line["interval"])
        if names not in coverages:
            continue
        told = CandleGap(**{time: line[time] for time in times}, cause=Cause(line["cause"]), asks=line["asks"])
        healed = gaps.refuted(coverages[names], told, interval=interval(line["interval"]), now_ms=now_ms)
        if healed is not None:
            lines.append(series.line(spec, names, healed))
    return lines
