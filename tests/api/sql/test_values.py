"""Values of every type DuckDB has come out as they are, as text, or not at all: never as something else."""

# ruff: noqa: E501 - a table of statements and answers

import math
from datetime import time
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from api.sql.sandbox.errors import SqlInvalid
from tests.api.sql.conftest import Sandbox


@pytest.mark.parametrize(
    ("statement", "type_name", "text"),
    [
        ("SELECT INTERVAL 90 MINUTE AS x", "INTERVAL", "01:30:00"),
        ("SELECT '\\xAB'::BLOB AS x", "BLOB", "\\xAB"),
        ("SELECT 'a'::ENUM('a', 'b') AS x", "ENUM('a', 'b')", "a"),
        ("SELECT MAP {'a': 1} AS x", "MAP(VARCHAR, INTEGER)", '{"a":1}'),
        ("SELECT [INTERVAL 1 DAY] AS x", "INTERVAL[]", '["1 day"]'),
        ("SELECT union_value(k := 1) AS x", "UNION(k INTEGER)", '{"k":1}'),
        ("SELECT '101'::BIT AS x", "BIT", "101"),
        ("SELECT '00000000-0000-0000-0000-000000000001'::UUID AS x", "UUID", "00000000-0000-0000-0000-000000000001"),
        ("SELECT 340282366920938463463374607431768211455::UHUGEINT AS x", "UHUGEINT", "340282366920938463463374607431768211455"),
        ("SELECT '10:00:00+01'::TIMETZ AS x", "TIME WITH TIME ZONE", "10:00:00+01"),
    ],
)  # fmt: skip
def test_values_no_format_knows_become_text(sandbox: Sandbox, statement: str, type_name: str, text: str) -> None:
    result = sandbox.run(statement)
    assert result.table.to_pylist() == [{"x": text}]
    assert result.columns == (("x", type_name),)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'infinity'::TIMESTAMP AS x",
        "SELECT [DATE '20000-01-01'] AS x",
        "SELECT TIME '24:00:00' AS x",
        "SELECT {'a': [make_time(23, 59, 60.0)]} AS x",
        "SELECT 100000000000000000000000000000000000000::HUGEINT AS x",
        "SELECT [{'a': -170141183460469231731687303715884105727::HUGEINT}] AS x",
    ],
)
def test_values_no_format_can_say_are_refused_with_advice(sandbox: Sandbox, statement: str) -> None:
    with pytest.raises(SqlInvalid, match="cast it to VARCHAR"):
        sandbox.run(statement)


def test_the_last_moment_of_a_day_and_the_longest_numbers_are_kept(sandbox: Sandbox) -> None:
    digits = "9" * 38
    found = sandbox.rows(f"SELECT TIME '23:59:59.999999' AS t, {digits}::HUGEINT AS h, -{digits}::DECIMAL(38, 0) AS d")
    assert found == [{"t": time(23, 59, 59, 999_999), "h": Decimal(digits), "d": Decimal(f"-{digits}")}]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a", "a_1"], ["a", "a_2", "a_3", "a_1"]),
        (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
    ],
)
def test_columns_of_one_name_are_told_apart(sandbox: Sandbox, names: list[str], expected: list[str]) -> None:
    found = sandbox.run("SELECT " + ", ".join(f'{number} AS "{name}"' for number, name in enumerate(names)))
    assert found.table.column_names == expected
    assert list(found.table.to_pylist()[0].values()) == list(range(len(names)))


def test_numbers_come_out_as_they_went_in(sandbox: Sandbox) -> None:
    values = [0.1, 1e-300, 1.7976931348623157e308, -0.0, 123456789.123456789]
    row = sandbox.rows("SELECT unnest(?::DOUBLE[]) AS x", [values])
    assert [value["x"] for value in row] == values
    assert math.copysign(1, row[3]["x"]) == -1


def test_flat_answers_have_no_nesting(sandbox: Sandbox) -> None:
    sql = "SELECT [1, 2] AS l, [['a']] AS ll, {'a': DATE '2025-01-01'} AS s, ['a|b', NULL] AS t, 3 AS n"
    result = sandbox.run(sql, flat=True)
    told = {"l": "[1,2]", "ll": '[["a"]]', "s": '{"a":"2025-01-01"}', "t": ["a|b", None], "n": 3}
    assert result.table.to_pylist() == [told], "lists of texts are joined by whoever writes the format"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT NULL AS x",
        "SELECT [1, NULL] AS x",
        "SELECT {'a': [{'b': 1.5}]} AS x",
        "SELECT 1::HUGEINT AS x",
        "SELECT 1e30::HUGEINT AS x",
        "SELECT TIME '10:00' AS x",
        "SELECT DATE '2025-01-01' AS x",
        "SELECT TIMESTAMP_NS '2025-01-01 00:00:00.123456789' AS x",
        "SELECT 'NaN'::DOUBLE AS x",
        "SELECT * FROM ohlc LIMIT 0",
    ],
)
def test_every_answer_can_be_read_by_polars_and_written_as_json(sandbox: Sandbox, statement: str) -> None:
    frame = pl.from_arrow(sandbox.run(statement).table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_json()


def test_the_stream_holds_the_same_rows_as_the_table(sandbox: Sandbox) -> None:
    result = sandbox.run("SELECT * FROM ohlc ORDER BY symbol, timestamp LIMIT 10")
    assert pa.ipc.open_stream(pa.py_buffer(result.stream)).read_all().equals(result.table)
