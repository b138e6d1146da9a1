"""What /metrics shows (Prometheus): counters the front keeps, and gauges read when they are asked for."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

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

    def of_answers(self, path: str, status: int) -> tuple[Counter, Histogram]:
        """The counter of answers of a route with a status, and the histogram of how long they took."""
        return self._requests.labels(path, str(status)), self._seconds.labels(path)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
