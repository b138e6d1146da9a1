"""What the cache knows of a chain, as the worker status and the UI tell it. Read only."""

from collections import Counter

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import HOUR_MS, utc_datetime
from datahub_assets.domain.worker_status import Chain
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.series_gaps import Followed, every


def cached_rows(cache: Cache, spec: DatasetSpec) -> int:
    """Rows of the dataset in the cache."""
    return cache.table(spec).count()


def open_gaps(cache: Cache, spec: DatasetSpec, *, followed: Followed = every) -> dict[str, int] | None:
    """Open gaps of the followed series by cause; None for a dataset without a ledger of gaps."""
    if spec.gaps is None:
        return None
    found = Counter[str]()
    for (series, cause), count in cache.gaps(spec).count_open().items():
        if followed(series):
            found[cause] += count
    return dict(found)


def of_chain(cache: Cache, spec: DatasetSpec, *, now_ms: int) -> Chain:
    """The part of the worker status that the cache knows; its runs and errors are not in it."""
    seen = cache.repo(spec).load()
    gaps = open_gaps(cache, spec)
    return Chain(
        newest_row=None if seen is None or seen.newest is None else utc_datetime(seen.newest),
        last_commit=None if seen is None else seen.head,
        rows=0 if seen is None else seen.rows or 0,
        rejected=cache.quarantined(spec).count(),
        commits_last_hour=cache.budget.commits_since(now_ms - HOUR_MS, spec=spec),
        gaps_open=None if gaps is None else sum(gaps.values()),
    )
