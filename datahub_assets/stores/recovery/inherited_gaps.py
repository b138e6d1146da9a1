"""Open gaps that another installation published: closed when this cache has their rows, and else known as it told.

A machine that is replaced leaves open gaps in the ledger; the installation that follows it closes them here.
"""

from collections import defaultdict
from typing import Any, Final

import polars as pl

from datahub_assets.datasets.ledgers import gap_line, gap_of, gaps_of, series_named
from datahub_assets.datasets.spec import DatasetSpec, GapRule, NumberGapRule, Series
from datahub_assets.domain import gaps
from datahub_assets.domain.errors import HubNotFound, HubRateLimited
from datahub_assets.domain.gaps import GridGap
from datahub_assets.domain.rows import in_epoch_ms
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub

NOTE: Final = "inherited_from"


def close(spec: DatasetSpec, *, cache: Cache, hub: Hub, now_ms: int) -> int:
    """Once for each repo, before the first publish to it: close what our rows refute; returns how many lines.

    Of what is missing here too, the cache knows from then on what was told: afterwards the next commit's lines, which
    are these, would stand in the place of those. Lines from before our own first row stay as they are: nothing here
    knows better.

    Raises:
        HubRateLimited: the Hub asks for a pause; the budget has shrunk.
        HubError: the ledger could not be read.
    """
    ledger = gaps_of(spec)
    if spec.gaps is None or ledger is None or cache.note(spec, NOTE) == hub.repo_url(spec):
        return 0
    try:
        head = hub.head(spec)
        content = hub.read(spec, ledger.path, revision=head)
    except HubNotFound:
        return 0  # nothing has been published there yet
    except HubRateLimited as error:
        cache.budget.refused(retry_after_s=error.retry_after_s, now_ms=now_ms)
        raise
    published = layout.read(ledger, content, name=f"{ledger.path} at {head}", to_rewrite=True)
    with cache.transaction():
        told = _open(spec, published)
        lines = _closed(spec, spec.gaps, told, cache=cache, now_ms=now_ms)
        cache.gaps(spec).inform(told, version=cache.next_version(), now_ms=now_ms)
        cache.gaps(spec).put(lines)
        cache.set_note(spec, NOTE, hub.repo_url(spec))
    return len(lines)


def _open(spec: DatasetSpec, published: pl.DataFrame) -> dict[Series, list[GridGap]]:
    """The open gaps of the ledger, by series."""
    told = defaultdict(list)
    lines = in_epoch_ms(published.filter(pl.col("healed_at").is_null()))
    for line in lines.iter_rows(named=True):
        told[series_named(spec, line["series"])].append(gap_of(spec, line))
    return told


def _closed(
    spec: DatasetSpec, rule: GapRule | NumberGapRule, told: dict[Series, list[GridGap]], *, cache: Cache, now_ms: int
) -> list[dict[str, Any]]:
    coverages = cache.gaps(spec).coverages()
    return [
        gap_line(spec, series, healed)
        for series, found in told.items()
        if series in coverages
        for gap in found
        for healed in [gaps.refuted(coverages[series], gap, step_ms=rule.step(series), now_ms=now_ms)]
        if healed is not None
    ]
