"""A statement has one answer at its commits: the same bytes each time, whichever machine, worker, core or file it comes
from."""

# ruff: noqa: E501 - a table of statements

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.engine.hub.reader import HubReader
from api.sql.sandbox.snapshot import SqlSnapshot, SqlTable
from datahub_assets.domain.hub_files import HubFile
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.sql.conftest import Loop, Sandbox, running, write_arrow
from tests.api.workers import Workers

FILES = 4
ROWS = 45_000
"""Of a file, 180,000 in all: DuckDB gives a second thread work from its 122,880th row on."""
FORMATS = ("json", "columns", "ndjson", "csv", "parquet", "arrow")

STATEMENTS = {
    "floats added up": "SELECT symbol, interval, count(*), sum(close), avg(close), kahan_sum(size) FROM t GROUP BY ALL ORDER BY ALL",
    "which is first": "SELECT first(close), last(close), any_value(size), arg_max(size, closed), max_by(close, closed) FROM t",
    "ties": "SELECT mode(number // 100), arg_min(close, number), approx_top_k(number, 3), histogram(number // 9000) FROM t",
    "estimates": "SELECT approx_quantile(close, [0.1, 0.5]), approx_count_distinct(number), entropy(number), median(close) FROM t",
    "statistics": "SELECT stddev(close), kurtosis(close), corr(close, size), regr_slope(close, size), product(1 + close / 1e7) FROM t",
    "groups in the order they come": "SELECT number, sum(close) AS s, first(size) FROM t GROUP BY number",
    "distinct": "SELECT DISTINCT number, closed FROM t",
    "lists": "SELECT symbol, list(number), string_agg(number::VARCHAR, ','), json_group_array(size) FROM t WHERE number % 500 = 0 GROUP BY ALL",
    "rows in the order they come": "SELECT symbol, number, close, closed FROM t LIMIT 90000",
    "a limit behind a filter": "SELECT * FROM t WHERE number > 10000 AND symbol = 'S07' LIMIT 5000",
    "windows with ties": "SELECT number, size, row_number() OVER (PARTITION BY symbol ORDER BY number // 5000) AS r FROM t QUALIFY r < 40",
    "sums over windows": "SELECT symbol, moment, sum(close) OVER (ORDER BY moment ROWS 20 PRECEDING) AS s FROM t LIMIT 20000",
    "a join": "SELECT a.number, b.close, a.size FROM t a JOIN t b USING (number) WHERE a.number < 200",
    "a union": "SELECT symbol, number FROM t UNION SELECT symbol, number FROM t WHERE close > 990 LIMIT 50000",
    "times": "SELECT sum(close), sum(size), count(*) FROM t WHERE moment BETWEEN '1970-01-05' AND '1970-01-20'",
    "constants": "SELECT sum(0.1::DOUBLE) AS of_all, sum(0.7::DOUBLE) FILTER (symbol = 'S03') AS of_some FROM t",
    "constants of few": "SELECT sum(0.1::DOUBLE) FROM t WHERE symbol = 'S05'",
    "nested values with nulls": "SELECT [close, NULL], {'c': close, 'l': [closed]}, close FROM t WHERE number % 7 = 0 LIMIT 9000",
    "rollup and pivot": "SELECT symbol, closed, sum(close), avg(size) FROM t GROUP BY ROLLUP (symbol, closed)",
    "summary": "SUMMARIZE SELECT symbol, close, closed FROM t",
    "plan": "EXPLAIN SELECT t.symbol, sum(u.close) FROM t JOIN t u USING (number) GROUP BY ALL",
}  # fmt: skip


def rows(number: int) -> pa.Table:
    """Sorted by symbol and time, as files are; times go on from file to file."""
    random = np.random.default_rng(number)
    symbols, per_symbol = 15, ROWS // 15
    moments = np.tile(np.arange(per_symbol) * 60_000_000 + number * per_symbol * 60_000_000, symbols)
    return pa.table(
        {
            "symbol": np.repeat([f"S{symbol:02}" for symbol in range(symbols)], per_symbol),
            "interval": np.repeat("1m", ROWS),
            "moment": pa.array(moments, pa.int64()).cast(pa.timestamp("us", "UTC")),
            "number": random.integers(0, 20_000, ROWS),
            "close": pa.array(random.uniform(1, 1000, ROWS), mask=random.uniform(size=ROWS) < 0.05),
            "size": random.uniform(0, 1e6, ROWS),
            "closed": pa.array(random.uniform(size=ROWS) < 0.5, mask=random.uniform(size=ROWS) < 0.1),
        }
    )


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SqlSnapshot]:
    """The same table from files that are mapped, from parquet, and from both."""
    folder = tmp_path_factory.mktemp("files")
    forms: list[tuple[Path, Path]] = []
    for number in range(FILES):
        table = rows(number)
        parquet = folder / f"{number}.parquet"
        pq.write_table(table, parquet, row_group_size=20_000)
        forms.append((write_arrow(folder / f"{number}.arrow", table, batch_rows=7_000), parquet))
    chosen = {"mapped": (0, 0, 0, 0), "parquet": (1, 1, 1, 1), "both": (0, 1, 1, 0)}
    return {
        name: SqlSnapshot(name, {"t": SqlTable(table.schema, tuple(forms[at][form] for at, form in enumerate(taken)))})
        for name, taken in chosen.items()
    }


@pytest.fixture(scope="module")
def replicas(loop: Loop, sandbox: Sandbox, snapshots: dict[str, SqlSnapshot]) -> Iterator[tuple[Sandbox, Sandbox]]:
    """One with all cores, one on a single core with less memory; each forks workers of its own."""
    with running(loop, snapshots["mapped"], workers=1, memory_mb=256, timeout_s=60) as second:
        for worker in second.pool.workers:
            os.sched_setaffinity(worker.pid, {min(os.sched_getaffinity(0))})
        yield sandbox, second


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_worker_gives_the_same_bytes_from_any_form_of_the_files(
    replicas: tuple[Sandbox, Sandbox], snapshots: dict[str, SqlSnapshot], name: str
) -> None:
    """The first replica's workers are asked at once, and have run other statements before."""
    first, second = replicas
    running_now = [first.begin(STATEMENTS[name], snapshot=snapshots[form]) for form in ("mapped", "both")]
    streams = {bytes(one.result(60).stream) for one in running_now}
    streams.add(bytes(second.run(STATEMENTS[name], snapshot=snapshots["parquet"]).stream))
    assert len(streams) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", STATEMENTS)
def test_it_does_so_many_times(replicas: tuple[Sandbox, Sandbox], snapshots: dict[str, SqlSnapshot], name: str) -> None:
    streams = {
        bytes(replica.run(STATEMENTS[name], snapshot=snapshot).stream)
        for replica in replicas
        for snapshot in snapshots.values()
        for _ in range(4)
    }
    assert len(streams) == 1


@pytest.fixture(scope="module")
def clients(
    hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Client]]:
    """Two APIs over one Hub, one of which is told of the Hub's files in another order."""
    tree: Callable[..., tuple[HubFile, ...]] = HubReader.tree

    def turned(*args: Any) -> tuple[HubFile, ...]:
        return tuple(reversed(tree(*args)))

    with ExitStack() as stack:
        first = stack.enter_context(serving(hub, tmp_path_factory.mktemp("first")))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HubReader, "tree", turned)
            second = stack.enter_context(serving(hub, tmp_path_factory.mktemp("second")))
        yield first, second


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM ohlc",
        "SELECT symbol, sum(close), first(open), list(volume) FROM ohlc GROUP BY ALL",
        "SELECT CASE WHEN trade_count % 2 = 0 THEN close END AS c, CASE WHEN closed THEN trade_count END AS n FROM ohlc",
    ],
)
def test_replicas_send_the_same_bytes_and_etag(clients: tuple[Client, Client], form: str, sql: str) -> None:
    asked = {"q": sql, "format": form}
    first, second = (client.get("/api/hub/sql", params=asked) for client in clients)
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert "x-repeatable" not in first.headers
    pinned = clients[1].get("/api/hub/sql", params=asked | {"revision": first.headers["x-revision"]})
    assert pinned.content == first.content
    assert "immutable" in pinned.headers["cache-control"]


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT random()",
        "SELECT gen_random_uuid() FROM ohlc LIMIT 1",
        "SELECT current_localtimestamp()",
        "SELECT max(timestamp) > current_timestamp AS b FROM ohlc",
        "SELECT age(max(timestamp)::TIMESTAMP)::VARCHAR AS a FROM ohlc",
        "SELECT * FROM ohlc USING SAMPLE 10 ROWS",
        "SELECT list_aggregate(list(close), 'reservoir_quantile', 0.5) AS q FROM ohlc",
        "SELECT ago(INTERVAL 1 HOUR) AS a",
    ],
)
def test_what_is_not_one_answer_says_so(clients: tuple[Client, Client], sql: str, *, pinned: bool) -> None:
    client = clients[0]
    asked = {"q": sql}
    if pinned:
        asked["revision"] = client.get("/api/hub/sql", params={"q": "SELECT 1"}).headers["x-revision"]
    answer = client.get("/api/hub/sql", params=asked, headers={"If-None-Match": "*"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-repeatable"] == "false"
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
