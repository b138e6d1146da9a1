"""What callers may do: SELECT over the snapshot's tables, with bound values, plans, and errors that say where."""

# ruff: noqa: E501, S608 - tables of statements and answers

import datetime as dt
from contextlib import suppress
from typing import Any

import pytest

from api.sql.sandbox.errors import SqlInvalid, SqlRejected, SqlTooLarge, SqlUnknownTable
from api.sql.sandbox.snapshot import SqlSnapshot
from tests.api.sql.conftest import START_MS, SYMBOLS, Sandbox

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT 1 AS x", [{"x": 1}]),
        ("VALUES (1, 'a'), (2, 'b')", [{"col0": 1, "col1": "a"}, {"col0": 2, "col1": "b"}]),
        ("FROM range(2)", [{"range": 0}, {"range": 1}]),
        ("TABLE gaps", []),
        ("SELECT count(*) AS n FROM market", [{"n": 0}]),
        ("SELECT count(*) AS n FROM ohlc", [{"n": 600}]),
        ("SELECT count(*) AS n FROM OHLC", [{"n": 600}]),
        ("SELECT count(*) AS n FROM ohlc WHERE symbol = 'BTCUSDT' AND interval = '1h'", [{"n": 100}]),
        ("SELECT count(*) AS n FROM ohlc WHERE symbol = 'NONE'", [{"n": 0}]),
        ("SELECT count(*) AS n FROM ohlc WHERE symbol IN ('BTCUSDT', 'ETHUSDT') AND NOT closed", [{"n": 4}]),
        ("SELECT count(*) AS n FROM ohlc WHERE symbol > 'BTCUSDT' OR interval = '1d'", [{"n": 500}]),
        ("SELECT count(*) AS n FROM ohlc WHERE symbol LIKE 'B%' AND timestamp < '2025-01-02'", [{"n": 25}]),
        ("SELECT DISTINCT symbol FROM ohlc ORDER BY ALL", [{"symbol": symbol} for symbol in SYMBOLS]),
        ("WITH t AS (SELECT max(high) AS h FROM ohlc) SELECT h FROM t", [{"h": 101.0}]),
        ("WITH ohlc AS (SELECT 7 AS x) SELECT x FROM ohlc", [{"x": 7}]),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t", [{"n": n} for n in (1, 2, 3)]),
        ("SELECT a.symbol FROM ohlc a ANTI JOIN ohlc b ON a.symbol = b.symbol", []),
        ("SELECT sum(trade_count) AS s FROM ohlc WHERE interval = '1d'", [{"s": 3 * 4950}]),
        ("SELECT unnest([1, 2]) AS x", [{"x": 1}, {"x": 2}]),
        ("SELECT list_transform([1, 2], lambda x: x * 2) AS l", [{"l": [2, 4]}]),
        ("SELECT {'a': 1}.a AS x, 'ab'[1] AS y, 'a'.upper() AS z", [{"x": 1, "y": "a", "z": "A"}]),
        ("SELECT '{\"a\": 5}'::JSON->>'$.a' AS x, '{\"a\": 5}'->'a' AS y", [{"x": "5", "y": "5"}]),
        ("SELECT extract(hour FROM TIMESTAMP '2025-01-01 07:00') AS h", [{"h": 7}]),
        ("SELECT * FROM (PIVOT ohlc ON interval IN ('1h', '1d') USING count(*) GROUP BY closed) ORDER BY ALL",
         [{"closed": False, "1h": 3, "1d": 3}, {"closed": True, "1h": 297, "1d": 297}]),
        ("DESCRIBE gaps", None),
        ("DESCRIBE SELECT 1", None),
        ("SUMMARIZE ohlc", None),
        ("SELECT 1 AS a, 2 AS a", [{"a": 1, "a_1": 2}]),
        ("SELECT 1;", [{"1": 1}]),
        ("-- hello\nSELECT /* there */ 1 AS x -- bye", [{"x": 1}]),
        ("SELECT 'read_text(''/etc/passwd'')' AS x", [{"x": "read_text('/etc/passwd')"}]),
        ('SELECT symbol AS "a""b" FROM ohlc LIMIT 1', [{'a"b': "BTCUSDT"}]),
        ("SELECT 'ünï' AS \"é\"", [{"é": "ünï"}]),
    ],
)  # fmt: skip
def test_answers(sandbox: Sandbox, statement: str, rows: list[dict[str, Any]] | None) -> None:
    answer = sandbox.rows(statement)
    assert answer if rows is None else answer == rows


def test_tables_are_listed(sandbox: Sandbox) -> None:
    assert [row["name"] for row in sandbox.rows("SHOW TABLES")] == ["gaps", "market", "ohlc"]


def test_a_year_of_candles_becomes_daily_ones(sandbox: Sandbox) -> None:
    rows = sandbox.rows(
        """
        SELECT date_trunc('day', timestamp) AS day, arg_min(open, timestamp) AS open, max(high) AS high,
               min(low) AS low, arg_max(close, timestamp) AS close, sum(volume) AS volume
        FROM ohlc WHERE symbol = $symbol AND interval = '1h' AND timestamp >= $since::TIMESTAMPTZ
        GROUP BY day ORDER BY day
        """,
        {"symbol": "ETHUSDT", "since": "2025-01-02T00:00:00Z"},
    )
    days = [dt.datetime(2025, 1, day, tzinfo=dt.UTC) for day in (2, 3, 4, 5)]
    assert [row["day"] for row in rows] == days
    assert rows[0] == {"day": days[0], "open": 24.0, "high": 49.0, "low": 23.0, "close": 48.0, "volume": 240.0}


@pytest.mark.parametrize(
    ("statement", "params", "value"),
    [
        ("SELECT ? + ? AS x", [1, 2], 3),
        ("SELECT $2 || $1 AS x", ["a", "b"], "ba"),
        ("SELECT $name AS x", {"name": "'; DROP TABLE ohlc; --"}, "'; DROP TABLE ohlc; --"),
        ("SELECT ? AS x", [None], None),
        ("SELECT ? AS x", [True], True),
        ("SELECT ? AS x", [1.5], 1.5),
        ("SELECT len(?::INT[]) AS x", [[1, 2, 3]], 3),
        ("SELECT count(*) AS x FROM ohlc WHERE symbol = ? AND timestamp = epoch_ms(?)", ["BTCUSDT", START_MS + HOUR_MS], 1),
        ("EXPLAIN SELECT * FROM ohlc WHERE symbol = ?", ["BTCUSDT"], None),
    ],
)  # fmt: skip
def test_values_are_bound(sandbox: Sandbox, statement: str, params: Any, value: object) -> None:
    (row,) = sandbox.rows(statement, params)
    assert "explain_value" in row or row == {"x": value}


@pytest.mark.parametrize(
    "params", [[], ["a", "b"], {"other": 1}, {"1": "a"}, ["\ud800"], [float("nan")], [10**40], [{"a": [1]}]]
)
def test_values_that_do_not_fit_are_refused_or_bound_but_break_nothing(sandbox: Sandbox, params: Any) -> None:
    with suppress(SqlInvalid):
        sandbox.run("SELECT ? AS x", params)
    assert sandbox.rows("SELECT 1 AS x") == [{"x": 1}]


def test_pivots_with_their_values_named_run(sandbox: Sandbox) -> None:
    (row,) = sandbox.rows("PIVOT (SELECT 'a' AS k, 1 AS v) ON k IN ('a', 'b') USING sum(v)")
    assert row == {"a": 1, "b": None}


@pytest.mark.parametrize(
    "prefix", ["EXPLAIN ", "explain analyze ", "EXPLAIN (FORMAT json) ", "-- why\nEXPLAIN (ANALYZE)\n"]
)
def test_plans_are_shown_and_name_no_place_of_this_machine(
    sandbox: Sandbox, prefix: str, snapshot: SqlSnapshot
) -> None:
    (row,) = sandbox.rows(prefix + "SELECT symbol, max(high) FROM ohlc WHERE interval = '1h' GROUP BY ALL")
    assert "ARROW" in row["explain_value"].upper()
    for table in snapshot.tables.values():
        for path in table.files:
            assert str(path.parent) not in row["explain_value"]


@pytest.mark.parametrize(
    ("statement", "error", "message", "place"),
    [
        ("SELECT nope FROM ohlc", SqlInvalid, 'column "nope" not found', (7, 1, 8)),
        ("SELECT\n  nope\nFROM ohlc", SqlInvalid, 'column "nope" not found', (9, 2, 3)),
        ("SELECT 'é', nope FROM ohlc", SqlInvalid, 'column "nope" not found', (12, 1, 13)),
        ("SELECT abs('x', 2)", SqlInvalid, "No function matches", (7, 1, 8)),
        ("SELECT 1 +", SqlInvalid, "syntax error", (9, 1, 10)),
        ("SELECT 'a'::INT", SqlInvalid, "Could not convert string 'a' to INT32", (10, 1, 11)),
        ("EXPLAIN SELECT nope FROM ohlc", SqlInvalid, 'column "nope" not found', (15, 1, 16)),
        ("/* é */ EXPLAIN ANALYZE SELECT nope FROM ohlc", SqlInvalid, 'column "nope" not found', (31, 1, 32)),
        ("SELECT ?", SqlInvalid, "parameter", None),
        ("-- nothing\n;", SqlInvalid, "there is no statement", None),
        ("PIVOT ohlc ON symbol USING max(high)", SqlRejected, "PIVOT needs the values named", None),
        ("SELECT * FROM nope", SqlUnknownTable, "there is no table 'nope'; tables: gaps, market, ohlc", (14, 1, 15)),
        ("SELECT 'é', getvariable('x')", SqlRejected, "'getvariable' cannot be used", (12, 1, 13)),
        ("EXPLAIN SELECT 'é', getvariable('x')", SqlRejected, "'getvariable' cannot be used", (20, 1, 21)),
        ("DROP TABLE ohlc", SqlRejected, "only one SELECT statement", None),
    ],
)  # fmt: skip
def test_errors_say_what_and_where(
    sandbox: Sandbox, statement: str, error: type[SqlInvalid], message: str, place: tuple[int, int, int] | None
) -> None:
    with pytest.raises(error, match=message.replace("?", r"\?")) as caught:
        sandbox.run(statement)
    assert (caught.value.position, caught.value.line, caught.value.column) == (place or (None, None, None))


@pytest.mark.parametrize(
    ("statement", "repeatable"),
    [
        ("SELECT * FROM ohlc", True),
        ("EXPLAIN SELECT 1", True),
        ("SELECT now()", False),
        ("SELECT current_timestamp", False),
        ("SELECT CURRENT_DATE", False),
        ("SELECT 1 FROM ohlc ORDER BY random()", False),
        ("SELECT uuid()", False),
        ("SELECT * FROM ohlc USING SAMPLE 3 ROWS", False),
        ("SELECT * FROM ohlc TABLESAMPLE 10%", False),
        ("EXPLAIN ANALYZE SELECT 1", False),
        ("SELECT 1 WHERE TIMESTAMP '2025-01-01' < now()", False),
    ],
)
def test_an_answer_says_whether_it_may_be_cached(sandbox: Sandbox, statement: str, *, repeatable: bool) -> None:
    assert sandbox.run(statement).repeatable is repeatable


def test_statements_leave_nothing_behind(sandbox: Sandbox) -> None:
    """One worker after the other gets both statements; a name made by the first is unknown to the second."""
    for _ in range(6):
        sandbox.run("WITH mine AS (SELECT 1) FROM mine")
        with pytest.raises(SqlUnknownTable, match="no table 'mine'"):
            sandbox.run("FROM mine")


def test_a_long_statement_is_refused_before_any_worker_sees_it(sandbox: Sandbox) -> None:
    with pytest.raises(SqlTooLarge, match="100,000 are allowed"):
        sandbox.run("SELECT '" + "x" * 100_000 + "'")
