"""DatasetSpec: everything that differs between datasets.

The cache table, the parquet schema, the files on the Hub, the dataset card, the Dagster assets, their checks and the
SQL table are derived from it."""

from dataclasses import dataclass

from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(TableSpec):
    """Everything that makes a table a dataset.

    Attributes:
        repo_name: the dataset's repo on the Hub, without the namespace.
        series: columns whose values name one series in the cache's state table.
        retention_ms: published rows older than this leave the local cache.
        stale_warn_ms, stale_fail_ms: age of the newest row that deserves a warning, a failure.
    """

    title: str
    repo_name: str
    provider: str
    source_url: str
    summary: str
    source_asset: str
    cache_table: str
    hub_asset: str
    series: tuple[str, ...]
    retention_ms: int
    stale_warn_ms: int = 3 * MINUTE_MS
    stale_fail_ms: int = 10 * MINUTE_MS
