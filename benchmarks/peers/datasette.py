"""Datasette 0.65 over SQLite: a table clustered by the key, immutable mode, SQL with bound parameters.

Chosen by measurement as its fastest form: SQL beats its table page by half, one SQL thread beats three at 8
connections, and a clustered table beats one with a separate index.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from benchmarks.environment import program, quiet_environment
from benchmarks.made import data
from benchmarks.made.questions import COLUMNS, Bulk, Daily, Format, Newest
from benchmarks.measuring.load import Server, get
from benchmarks.peers.times import iso_text
from benchmarks.servers.processes import answers, free_port, running

NAME: Final = "Datasette 0.65"

_COLUMNS: Final = ", ".join(COLUMNS)
_NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM ohlc WHERE symbol = :symbol AND interval = :interval "  # noqa: S608 - constants only
    "ORDER BY timestamp DESC LIMIT :limit"
)
# The hours of a UTC day are complete in the made data, so hour 0 opens the day and hour 23 closes it: one plain scan.
_DAILY: Final = """
SELECT substr(timestamp, 1, 10) AS day, max(CASE WHEN substr(timestamp, 12, 2) = '00' THEN open END) AS open,
       max(high) AS high, min(low) AS low, max(CASE WHEN substr(timestamp, 12, 2) = '23' THEN close END) AS close,
       sum(volume) AS volume
FROM ohlc WHERE symbol = :symbol AND interval = '1h' AND timestamp >= :start AND timestamp < :end
  AND volume >= CAST(:least AS REAL)
GROUP BY 1 ORDER BY 1"""
_EXTENSIONS: Final = {Format.JSON: "json", Format.CSV: "csv"}


@dataclass(frozen=True, slots=True)
class Datasette:
    """A running Datasette."""

    server: Server
    name: str = NAME

    def newest(self, question: Newest) -> bytes:
        """SQL over the primary key's prefix, newest first."""
        return self._sql(_NEWEST, symbol=question.symbol, interval=question.interval, limit=str(question.limit))

    def daily(self, question: Daily) -> bytes:
        """One aggregate over a range of the primary key."""
        start, end = iso_text(question.start_ms), iso_text(question.end_ms)
        return self._sql(_DAILY, symbol=question.symbol, start=start, end=end, least=repr(question.least_volume))

    def bulk(self, question: Bulk) -> bytes | None:
        """One range of the primary key per symbol."""
        extension = _EXTENSIONS.get(question.format)
        if extension is None:
            return None
        names = {f"s{number}": symbol for number, symbol in enumerate(question.symbols)}
        marks = ", ".join(f":{name}" for name in names)
        sql = (
            f"SELECT {_COLUMNS} FROM ohlc WHERE symbol IN ({marks}) AND interval = '1h' "  # noqa: S608 - marks only
            "AND timestamp >= :start AND timestamp < :end"
        )
        start, end = iso_text(question.start_ms), iso_text(question.end_ms)
        return self._sql(sql, extension, start=start, end=end, **names)

    def _sql(self, sql: str, extension: str = "json", **values: str) -> bytes:
        return get(self.server, f"/ohlc.{extension}?" + urlencode({"sql": sql, "_shape": "array", **values}))


@contextmanager
def datasette(*, log: Path) -> Iterator[Datasette]:
    """Serve the SQLite file for the time of the block."""
    port = free_port()
    settings = {"max_returned_rows": 60_000, "sql_time_limit_ms": 60_000, "num_sql_threads": 1, "suggest_facets": "off"}
    flags = [word for name, value in settings.items() for word in ("--setting", name, str(value))]
    argv = [program("datasette"), "serve", "--immutable", str(data.sqlite()), "--port", str(port), *flags]
    ready = answers(f"http://127.0.0.1:{port}/-/versions.json")
    with running(argv, log=log, env=quiet_environment(), ready=ready):
        yield Datasette(Server(port, {}))
