"""What /metrics shows (Prometheus): counters the front keeps, and gauges read when they are asked for."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.engine.engine import Engine
from api.health.service import WorkerStatus, WorkersUnreadable, read_worker_status
from datahub_assets.settings import Settings

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The registry of one application; nothing is global, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "datahub_http_requests", "Requests answered", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "datahub_http_request_seconds",
            "Time from a request to the end of its answer",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._cache = Counter(
            "datahub_answer_cache", "Rows and SQL by where the answer came from", ("outcome",), registry=self.registry
        )
        self.hot = self._cache.labels("hot")
        self.hit = self._cache.labels("hit")
        self.miss = self._cache.labels("miss")
        self.sql_seconds = Histogram(
            "datahub_sql_seconds", "Time a statement took its worker", buckets=_SECONDS, registry=self.registry
        )
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        children = self._children.get((path, status))
        if children is None:
            children = self._children[path, status] = (
                self._requests.labels(path, str(status)),
                self._seconds.labels(path),
            )
        children[0].inc()
        children[1].observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


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
        if chain.commits_last_hour is not None:
            commits.add_metric((name,), chain.commits_last_hour)
    yield from (tick, success, gaps, commits)
