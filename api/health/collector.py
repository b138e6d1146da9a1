"""The gauges of /metrics: what is served, and what the workers last said."""

import time
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.engine.engine import Engine
from api.health.service import WorkersUnreadable, read_worker_status
from datahub_assets.domain.worker_status import WorkerStatus
from datahub_assets.settings import Settings


class EngineCollector(Collector):
    """Gauges of what is served, and of what the workers last said."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """All gauges, read now."""
        rows = GaugeMetricFamily("datahub_rows", "Rows of the commit that is served", labels=("dataset",))
        newest = GaugeMetricFamily("datahub_newest_row_age_seconds", "Age of the newest row", labels=("dataset",))
        commit = GaugeMetricFamily(
            "datahub_snapshot_age_seconds", "Age of the commit that is served", labels=("dataset",)
        )
        seen = GaugeMetricFamily("datahub_hub_seen_age_seconds", "Since the Hub's head was seen", labels=("dataset",))
        commits = GaugeMetricFamily("datahub_commits", "Commits in the local index", labels=("dataset",))
        now_s = time.time()
        for name, dataset in self._engine.datasets.items():
            commits.add_metric((name,), self._engine.catalog.commit_count(dataset.library.source))
            if dataset.freshness.seen_at_s is not None:
                seen.add_metric((name,), now_s - dataset.freshness.seen_at_s)
            if dataset.is_ready:
                snapshot = dataset.current
                rows.add_metric((name,), snapshot.rows)
                commit.add_metric((name,), now_s - snapshot.commit.at_ms / 1000)
                if snapshot.newest_ms is not None:
                    newest.add_metric((name,), now_s - snapshot.newest_ms / 1000)
        yield from (rows, newest, commit, seen, commits)
        with suppress(WorkersUnreadable):  # health says so
            status = read_worker_status(self._settings.home)
            if status is not None:
                yield from _worker_gauges(status, now_s)


def _worker_gauges(status: WorkerStatus, now_s: float) -> Iterator[Metric]:
    tick = GaugeMetricFamily("datahub_last_tick_age_seconds", "Since a chain last ran", labels=("chain",))
    success = GaugeMetricFamily("datahub_last_success_age_seconds", "Since a chain last succeeded", labels=("chain",))
    gaps = GaugeMetricFamily("datahub_gaps_open", "Gaps that are not healed", labels=("chain",))
    commits = GaugeMetricFamily("datahub_commits_last_hour", "Commits a chain made in the last hour", labels=("chain",))
    for name, chain in status.chains.items():
        for gauge, at in ((tick, chain.last_tick), (success, chain.last_success)):
            if at is not None:
                gauge.add_metric((name,), now_s - at.timestamp())
        if chain.gaps_open is not None:
            gaps.add_metric((name,), chain.gaps_open)
        commits.add_metric((name,), chain.commits_last_hour)
    yield from (tick, success, gaps, commits)
