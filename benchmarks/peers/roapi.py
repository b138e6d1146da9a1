"""ROAPI 0.12 over Arrow in memory, by its SQL endpoint; its REST endpoint and its on-disk tables are slower here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.environment import program, quiet_environment
from benchmarks.made import data
from benchmarks.made.questions import COLUMNS, Bulk, Daily, Format, Newest
from benchmarks.measuring.load import Server, post
from benchmarks.peers.times import iso_text
from benchmarks.servers.processes import answers, free_port, running

NAME: Final = "ROAPI 0.12.7"

_COLUMNS: Final = ", ".join(f'"{name}"' for name in COLUMNS)
_ACCEPT: Final = {
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/parquet",
    Format.JSON: "application/json",
    Format.CSV: "application/csv",
}


@dataclass(frozen=True, slots=True)
class Roapi:
    """A running ROAPI. Its SQL takes no bound parameters, so the values (all from `questions`) stand in the text."""

    server: Server
    name: str = NAME

    def newest(self, question: Newest) -> bytes:
        """A filter, a sort and a limit over the in-memory table."""
        return self._sql(
            f"SELECT {_COLUMNS} FROM ohlc WHERE symbol = '{question.symbol}' AND \"interval\" = '{question.interval}' "  # noqa: S608
            f"ORDER BY timestamp DESC LIMIT {question.limit}"
        )

    def daily(self, question: Daily) -> bytes:
        """First and last by time are taken as the maximum of the only hour that can be it, as for SQLite."""
        hour = "date_part('hour', timestamp)"
        return self._sql(
            f"SELECT date_trunc('day', timestamp) AS day, max(CASE WHEN {hour} = 0 THEN open END) AS open, "  # noqa: S608
            f"max(high) AS high, min(low) AS low, max(CASE WHEN {hour} = 23 THEN close END) AS close, "
            f"sum(volume) AS volume FROM ohlc WHERE symbol = '{question.symbol}' AND \"interval\" = '1h' "
            f"AND {_between(question.start_ms, question.end_ms)} AND volume >= {question.least_volume!r} "
            f"GROUP BY 1 ORDER BY 1"
        )

    def bulk(self, question: Bulk) -> bytes | None:
        """A filter without a sort: the table is in the order of its file."""
        symbols = ", ".join(f"'{symbol}'" for symbol in question.symbols)
        return self._sql(
            f"SELECT {_COLUMNS} FROM ohlc WHERE symbol IN ({symbols}) AND \"interval\" = '1h' "  # noqa: S608
            f"AND {_between(question.start_ms, question.end_ms)}",
            accept=_ACCEPT[question.format],
        )

    def _sql(self, sql: str, *, accept: str = "application/json") -> bytes:
        return post(self.server, "/api/sql", sql.encode(), accept=accept)


def _between(start_ms: int, end_ms: int) -> str:
    return f"timestamp >= timestamp '{iso_text(start_ms)}' AND timestamp < timestamp '{iso_text(end_ms)}'"


@contextmanager
def roapi(*, log: Path) -> Iterator[Roapi]:
    """Load the parquet file into memory and serve it for the time of the block.

    Its Postgres and Flight SQL doors get free ports too: a taken default port would end it.
    """
    port = free_port()
    doors = ["--addr-postgres", f"127.0.0.1:{free_port()}", "--addr-flight-sql", f"127.0.0.1:{free_port()}"]
    table = f"ohlc={data.parquet()}"
    argv = [program("roapi"), "--addr-http", f"127.0.0.1:{port}", *doors, "--table", table]
    ready = answers(f"http://127.0.0.1:{port}/health")
    with running(argv, log=log, env=quiet_environment(), ready=ready):
        yield Roapi(Server(port, {}))
