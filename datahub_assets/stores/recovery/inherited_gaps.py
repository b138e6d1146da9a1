"""Open gaps that another installation published: closed when this cache has their rows.

A machine that is replaced leaves open gaps in the ledger; the installation that follows it closes them here.
"""

from typing import Any, Final

import polars as pl

from datahub_assets.datasets.ledgers import gap_line, gaps_of, series_named
from datahub_assets.datasets.spec import DatasetSpec, GapRule
from datahub_assets.domain import gaps
from datahub_assets.domain.gaps import Cause, GridGap
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout

NOTE: Final = "inherited_from"


def close(spec: DatasetSpec, *, cache: Cache, now_ms: int) -> int:
    """Once for each repo, after the first publish to it: close what our rows refute; returns how many lines.

    The next commit carries them. Lines from before our own first row stay as they are: nothing here knows better.
    """
    seen = cache.repo(spec).load()
    ledger = gaps_of(spec)
    if spec.gaps is None or ledger is None or seen is None or cache.note(spec, NOTE) == seen.repo:
        return 0
    content = cache.repo(spec).contents([ledger.path]).get(ledger.path)
    if content is None:
        return 0  # nothing of ours has been published there yet
    published = layout.read(ledger, content, name=f"{ledger.path} at {seen.head}")
    with cache.transaction():
        told = published.filter(pl.col("healed_at").is_null())
        lines = _closed(spec, spec.gaps, told, cache=cache, now_ms=now_ms)
        cache.gaps(spec).put(lines)
        cache.set_note(spec, NOTE, seen.repo)
    return len(lines)


def _closed(
    spec: DatasetSpec, rule: GapRule, published: pl.DataFrame, *, cache: Cache, now_ms: int
) -> list[dict[str, Any]]:
    times = ["first_time", "last_time", "first_seen", "asked_at", "updated_at"]
    coverages = cache.gaps(spec).coverages()
    lines = []
    for line in published.with_columns(pl.col(times).dt.epoch("ms")).iter_rows(named=True):
        series = series_named(spec, line["series"])
        if series not in coverages:
            continue
        told = GridGap(**{time: line[time] for time in times}, cause=Cause(line["cause"]), asks=line["asks"])
        healed = gaps.refuted(coverages[series], told, step_ms=rule.step_ms(series), now_ms=now_ms)
        if healed is not None:
            lines.append(gap_line(spec, series, healed))
    return lines
