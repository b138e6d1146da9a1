"""Skipping rows that cannot match never changes an answer: filters over parts against those over a plain table."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.sql.sandbox.worker.mapped_files import map_descriptor
from api.sql.sandbox.worker.parts import ArrowPart, ParquetPart, TablePart, joined, open_part
from api.sql.sandbox.worker.pruning import Pruning
from api.sql.sandbox.worker.tables import SnapshotTable

SCHEMA = pa.schema(
    [("symbol", pa.string()), ("interval", pa.string()), ("n", pa.int64()), ("t", pa.timestamp("us", "UTC"))]
)
IN_MS = SCHEMA.set(3, pa.field("t", pa.timestamp("ms", "UTC")))
"""As parquet files of an earlier version are."""
SYMBOLS = ("", "A", "AB", "B", "Ä", "a longer name than fits in a string view")


FIRST_SECONDS = {"1h": 0, "4h": 0, "1d": 30, "1w": 100}
"""When the rows of each part begin: some at the same time, some later, one after all others have ended."""


def rows(interval: str, *, sort: bool) -> pa.Table:
    table = [
        {
            "symbol": symbol if number % 7 else None,
            "interval": interval,
            "n": number,
            "t": (FIRST_SECONDS[interval] + number) * 1_000_000,
        }
        for symbol in SYMBOLS
        for number in range(40)
    ]
    made = pa.Table.from_pylist(table, schema=SCHEMA)
    return made.sort_by([("symbol", "ascending"), ("n", "ascending")] if sort else [("n", "ascending")])


def mapped(path: Path) -> pa.Buffer:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return map_descriptor(descriptor, path.stat().st_size)
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """`plain` holds in DuckDB what `parts` scans from four files: sorted, unsorted, as string views, as parquet."""
    folder = tmp_path_factory.mktemp("parts")
    tables = {
        "sorted": rows("1h", sort=True),
        "unsorted": rows("4h", sort=False),
        "views": rows("1d", sort=True),
        "parquet": rows("1w", sort=True),
    }
    for name in ("sorted", "unsorted"):
        with pa.ipc.new_file(str(folder / name), SCHEMA) as writer:
            writer.write_table(tables[name], max_chunksize=100)
    views = pl.DataFrame(tables["views"]).to_arrow(compat_level=pl.CompatLevel.newest())
    with pa.ipc.new_file(str(folder / "views"), views.schema) as writer:
        writer.write_table(views)
    pq.write_table(tables["parquet"].cast(IN_MS), folder / "parquet", row_group_size=50)
    made = duckdb.connect()
    made.register("source", pa.concat_tables(tables.values()))
    made.execute("CREATE TABLE plain AS FROM source")
    made.register("parts", SnapshotTable(SCHEMA, [open_part(mapped(folder / name), SCHEMA) for name in tables]))
    yield made
    made.close()


_SYMBOL = st.sampled_from((*SYMBOLS, "none"))
_INTERVAL = st.sampled_from(("1h", "4h", "1d", "1w", "none"))
_NUMBER = st.integers(-1, 41)
_SECONDS = st.integers(-1, 141)
_PREDICATES = st.one_of(
    st.tuples(st.just("symbol = ?"), _SYMBOL),
    st.tuples(st.just("symbol <> ?"), _SYMBOL),
    st.tuples(st.just("symbol >= ?"), _SYMBOL),
    st.tuples(st.just("symbol IN (?, 'A', 'B')"), _SYMBOL),
    st.tuples(st.just("(symbol IS NULL OR symbol = ?)"), _SYMBOL),
    st.tuples(st.just("symbol IS NOT DISTINCT FROM ?"), _SYMBOL),
    st.tuples(st.just("symbol LIKE ? || '%'"), _SYMBOL),
    st.tuples(st.just("interval = ?"), _INTERVAL),
    st.tuples(st.just("(interval = ? OR n = 3)"), _INTERVAL),
    st.tuples(st.just("n < ?"), _NUMBER),
    st.tuples(st.just("n BETWEEN 3 AND ?"), _NUMBER),
    st.tuples(st.just("t >= epoch_ms(1000 * ?)::TIMESTAMPTZ"), _SECONDS),
    st.tuples(st.just("t < epoch_ms(1000 * ?)::TIMESTAMPTZ"), _SECONDS),
    st.tuples(st.just("t = epoch_ms(1000 * ?)::TIMESTAMPTZ"), _SECONDS),
    st.tuples(st.just("t <> epoch_ms(1000 * ?)::TIMESTAMPTZ"), _SECONDS),
    st.tuples(st.just("NOT (t > epoch_ms(1000 * ?)::TIMESTAMPTZ)"), _SECONDS),
    st.tuples(st.just("(t < epoch_ms(1000 * ?)::TIMESTAMPTZ OR symbol = 'A' OR t IS NULL)"), _SECONDS),
)
_COLUMNS = st.sampled_from(("*", "n", "symbol", "count(*)", "max(t)", "interval, count(symbol) AS c", "n + 1, symbol"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(predicates=st.lists(_PREDICATES, max_size=4), columns=_COLUMNS)
def test_a_scan_of_parts_gives_what_a_plain_table_gives(
    connection: duckdb.DuckDBPyConnection, predicates: list[tuple[str, Any]], columns: str
) -> None:
    where = " AND ".join(predicate for predicate, _ in predicates) or "true"
    group = " GROUP BY ALL" if "," in columns and "count" in columns else ""
    values = [value for _, value in predicates]
    found, expected = (
        connection.sql(f"SELECT {columns} FROM {table} WHERE {where}{group} ORDER BY ALL", params=values).fetchall()  # noqa: S608
        for table in ("parts", "plain")
    )
    assert found == expected


def test_joins_and_limits_over_parts(connection: duckdb.DuckDBPyConnection) -> None:
    for sql in (
        "SELECT count(*) FROM {0} a JOIN {0} b ON a.symbol = b.symbol AND a.n = b.n WHERE a.interval = '1h'",
        "SELECT n FROM {0} WHERE symbol = 'AB' ORDER BY n DESC LIMIT 3",
        "SELECT symbol, max(n) FROM {0} WHERE symbol IN (SELECT symbol FROM {0} WHERE n = 9) GROUP BY ALL ORDER BY ALL",
        "SELECT count(*) FROM (SELECT * FROM {0} LIMIT 17)",
    ):
        found, expected = (connection.sql(sql.format(table)).fetchall() for table in ("parts", "plain"))
        assert found == expected


def seconds(first: int, last: int) -> pa.Table:
    """Rows of these seconds, the last included."""
    return rows("1h", sort=False).filter((pc.field("n") >= first) & (pc.field("n") <= last))


def test_parts_of_other_times_are_left_out(tmp_path: Path) -> None:
    pq.write_table(seconds(20, 39).cast(IN_MS), tmp_path / "parquet", row_group_size=40)
    with pa.ipc.new_file(str(tmp_path / "arrow"), SCHEMA) as writer:
        writer.write_table(seconds(10, 19), max_chunksize=30)
    some_unknown = seconds(0, 3).set_column(3, "t", pa.nulls(24, SCHEMA.field("t").type))
    made = [
        TablePart(seconds(0, 9)),
        *(open_part(mapped(tmp_path / name), SCHEMA) for name in ("arrow", "parquet")),
        TablePart(some_unknown),
        TablePart(seconds(0, 39).drop_columns("t")),
        TablePart(seconds(50, 60)),
    ]
    pruning = Pruning(made, SCHEMA)

    def left(condition: Any) -> list[int]:
        return [made.index(part) for part in pruning.left_by(condition, str(condition))]

    t, at = pc.field("t"), pa.scalar(20_000_000, SCHEMA.field("t").type)
    unknown = [3, 4, 5]
    assert left(t >= at) == [2, *unknown]
    assert left(t < at) == [0, 1, *unknown]
    assert left(t == at) == [2, *unknown]
    assert left((t < at) & (pc.field("n") == 3)) == [0, 1, *unknown]
    assert left((t < at) | (pc.field("n") == 3)) == left(pc.field("n") == 3) == list(range(6))


def test_few_rows_are_filtered_at_once_and_many_as_they_are_asked_for() -> None:
    table = SnapshotTable(SCHEMA, [TablePart(pa.concat_tables([rows("1h", sort=False)] * 600))])
    many = table.scanner(columns=["n"], filter=pc.field("n") == 8)
    assert not isinstance(many.batches, list)
    assert many.to_reader().read_all().equals(pa.table({"n": [8] * 6 * 600}))
    small = SnapshotTable(SCHEMA, [TablePart(rows("1h", sort=False))])
    at_once = small.scanner(columns=["n"], filter=pc.field("n") == 8)
    assert isinstance(at_once.batches, list)
    assert at_once.to_reader().read_all().equals(pa.table({"n": [8] * 6}))


def test_only_rows_that_can_match_are_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "sorted"
    with pa.ipc.new_file(str(path), SCHEMA) as writer:
        writer.write_table(rows("1h", sort=True))
    part = open_part(mapped(path), SCHEMA)
    assert isinstance(part, ArrowPart)
    assert sum(cut.num_rows for cut in part.cuts(["n"], {"symbol": "AB"})) == 34
    assert sum(cut.num_rows for cut in part.cuts(["n"], {"symbol": "AB", "interval": "4h"})) == 0
    assert sum(cut.num_rows for cut in part.cuts(["n"], {})) == 240


def test_row_groups_of_parquet_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "parquet"
    pq.write_table(rows("1h", sort=True), path, row_group_size=40)
    part = open_part(mapped(path), SCHEMA)
    assert isinstance(part, ParquetPart)
    assert sum(cut.num_rows for cut in part.cuts(["n"], {"symbol": "Ä"})) <= 80
    assert list(part.cuts(["n"], {"symbol": "\uffff"})) == []


def test_cuts_are_joined_while_they_are_small_and_alike_and_get_the_types_of_the_table() -> None:
    whole = rows("1h", sort=True).combine_chunks().to_batches()[0]
    views = whole.set_column(0, "symbol", whole.column("symbol").cast(pa.string_view()))
    lacking = whole.select(["symbol", "n"])
    large = pa.concat_batches([whole] * 300)
    joins = list(joined([whole, whole.slice(3, 7), views, lacking, large], ["n", "symbol", "t"], SCHEMA))
    assert [batch.num_rows for batch in joins] == [247, 240, 240, 72_000]
    assert {batch.schema for batch in joins} == {pa.schema([SCHEMA.field(name) for name in ("n", "symbol", "t")])}
    assert joins[0].column("n").to_pylist() == [*whole.column("n").to_pylist(), *whole.column("n").to_pylist()[3:10]]
    assert joins[1].column("symbol").equals(whole.column("symbol"))
    assert joins[2].column("t").null_count == 240
    assert [batch.num_rows for batch in joined([whole, lacking], [], SCHEMA)] == [240, 240]


def test_an_empty_file_is_refused_and_a_file_without_rows_is_not(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    with pytest.raises(pa.ArrowInvalid):
        open_part(mapped(path), SCHEMA)
    with pa.ipc.new_file(str(path), SCHEMA) as writer:
        writer.write_table(SCHEMA.empty_table())
    assert list(open_part(mapped(path), SCHEMA).cuts(["n"], {"symbol": "A"})) == []


def test_mapping_outlives_its_descriptor_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 10_000)
    buffer = mapped(path)
    path.unlink()
    assert buffer.to_pybytes() == b"x" * 10_000
    with pytest.raises(OSError, match="Bad file descriptor"):
        map_descriptor(10_000, 1)
