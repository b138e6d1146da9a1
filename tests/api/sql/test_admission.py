"""The lists of what callers may use, against the DuckDB that is installed."""

import json
import sys
from contextlib import suppress

import duckdb
import pytest

from api.sql.sandbox.snapshot import RESERVED_PREFIXES
from api.sql.sandbox.worker.admission import Refused, admit
from api.sql.sandbox.worker.error_messages import clean, place_of
from api.sql.sandbox.worker.functions import SCALARS, TABLE_FUNCTIONS
from api.sql.sandbox.worker.volatile import CLOCK_WORDS, volatile_functions

# Forms of the grammar that are functions in the syntax tree only.
SYNTAX = {"unnest", "->"}


@pytest.fixture(scope="module")
def catalog() -> dict[str, set[str]]:
    """Names of functions by kind, and of views, in a fresh DuckDB."""
    with duckdb.connect() as connection:
        found: dict[str, set[str]] = {}
        for kind, name in connection.execute("SELECT function_type, function_name FROM duckdb_functions()").fetchall():
            found.setdefault(kind, set()).add(name.lower())
        found["views"] = {name for (name,) in connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main'"
        ).fetchall()}  # fmt: skip
        found["volatile"] = {name for (name,) in connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
        ).fetchall()}  # fmt: skip
    return found


def test_every_listed_function_exists(catalog: dict[str, set[str]]) -> None:
    known = catalog["scalar"] | catalog["aggregate"] | catalog["macro"] | catalog["window"] | SYNTAX
    assert SCALARS - known == set()
    assert TABLE_FUNCTIONS - catalog["table"] == {"unnest"} - catalog["table"]


def test_no_table_function_but_the_computing_ones_is_listed(catalog: dict[str, set[str]]) -> None:
    dangerous = (catalog["table"] | catalog["table_macro"] | catalog["pragma"]) - TABLE_FUNCTIONS
    # The same names as scalar functions are other functions: aggregates, a string repeated.
    assert dangerous & SCALARS == {"histogram", "repeat"}


def test_functions_that_answer_differently_are_known_to(catalog: dict[str, set[str]]) -> None:
    """What the catalog says, a macro that calls one of those, and what the catalog is wrong about."""
    found = volatile_functions()
    assert found.names - catalog["volatile"] - catalog["macro"] == {
        "age",
        "current_localtime",
        "current_localtimestamp",
        "reservoir_quantile",
    }
    assert catalog["volatile"] - found.names == {"error"}
    assert found.names & catalog["macro"] & SCALARS == {"ago"}
    assert found.callers & SCALARS == {"aggregate", "array_aggr", "array_aggregate", "list_aggr", "list_aggregate"}


def test_all_that_tells_the_time_without_arguments_is_known() -> None:
    """Whatever can be called without arguments, or stands for a call without parentheses, is asked twice."""
    with duckdb.connect() as connection:
        words = {word for (word,) in connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()}

        def answers(expression: str) -> set[str]:
            found: set[str] = set()
            for _ in range(2):
                with suppress(duckdb.Error):
                    found.add(repr(connection.execute(f"SELECT ({expression})::VARCHAR").fetchall()))
            return found

        changing = {name for name in SCALARS if name.isidentifier() and len(answers(f'"{name}"()')) > 1}
        assert changing - volatile_functions().names == set()
        assert {"current_localtimestamp", "now", "random", "uuid"} <= changing
        assert {word for word in words | SCALARS if word.isidentifier() and len(answers(word)) > 1} <= CLOCK_WORDS
        assert {word for word in CLOCK_WORDS if answers(word)} == CLOCK_WORDS


@pytest.mark.parametrize(
    ("sql", "repeatable"),
    [
        ("SELECT list_aggregate([1], 'sum')", True),
        ("SELECT list_aggregate([1], 'reservoir_quantile', 0.5)", False),
        ("SELECT array_aggr([1], 'RESERVOIR_' || 'QUANTILE', 0.5)", False),
        ("SELECT list_aggr([1], ?)", False),
        ("SELECT histogram(1), json_group_object(1, 2)", True),
        ("SELECT ago(INTERVAL 1 DAY)", False),
        ("SELECT x.random() FROM t", False),
        ("SELECT localtimestamp", False),
        ("SELECT t.now FROM t", True),
    ],
)
def test_what_is_called_by_name_or_by_a_macro_counts(sql: str, *, repeatable: bool) -> None:
    with duckdb.connect() as connection:

        def serialize(text: str) -> str:
            return str(connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0])

        assert admit(sql, tables={"t"}, serialize=serialize).repeatable is repeatable


def test_all_names_of_the_catalog_are_reserved(catalog: dict[str, set[str]]) -> None:
    assert {name for name in catalog["views"] if not name.startswith(RESERVED_PREFIXES)} == set()


@pytest.mark.parametrize(
    ("sql", "prefix", "body"),
    [
        ("EXPLAIN SELECT 1", "EXPLAIN  ", " SELECT 1"),
        ("explain\tanalyze\nSELECT 1", "EXPLAIN analyze ", "\nSELECT 1"),
        ("EXPLAIN (FORMAT json, ANALYZE) FROM t", "EXPLAIN (format json, analyze) ", " FROM t"),
        ("EXPLAIN (SELECT x FROM t)", "EXPLAIN ", " (SELECT x FROM t)"),
        ("/* a */ -- b\n EXPLAIN SELECT 1", "EXPLAIN  ", " SELECT 1"),
        ("explained", "", "explained"),
        ("SELECT 'EXPLAIN'", "", "SELECT 'EXPLAIN'"),
    ],
)
def test_explain_is_taken_off_before_the_statement_is_read(sql: str, prefix: str, body: str) -> None:
    seen: list[str] = []

    def serialize(text: str) -> str:
        seen.append(text)
        return '{"error": false, "statements": [{"node": {"type": "SELECT_NODE"}}]}'

    admitted = admit(sql, tables={"t"}, serialize=serialize)
    assert (admitted.prefix, admitted.body, seen) == (prefix, body, [body])


@pytest.mark.parametrize(
    "node",
    [
        {"type": "SOME_FUTURE_NODE"},
        {"type": "SELECT_NODE", "select_list": [{"class": "SOME_FUTURE_EXPRESSION", "type": "X"}]},
        {"type": "SELECT_NODE", "from_table": {"type": "COLUMN_DATA"}},
        {"type": "SELECT_NODE", "from_table": {"type": "DELIM_GET"}},
        {"type": "SELECT_NODE", "select_list": [{"class": "FUNCTION", "type": "FUNCTION", "function_name": "new_one"}]},
    ],
)
def test_what_is_not_known_is_refused(node: dict[str, object]) -> None:
    with pytest.raises(Refused):
        admit("x", tables=set(), serialize=lambda _: json.dumps({"error": False, "statements": [{"node": node}]}))


def test_places_are_counted_in_characters() -> None:
    assert place_of("aé\nb", 4) == {"position": 3, "line": 2, "column": 1}
    assert place_of("abc", None) == {}
    assert place_of("abc", 4) == {}
    assert place_of("abc", -1) == {}


def test_messages_are_cleaned() -> None:
    assert clean(f"cannot open {sys.prefix}/lib/x.py") == "cannot open …/lib/x.py"
    assert clean("a\nStack Trace:\n/usr/lib/x.so(+0x1)") == "a"
    assert clean('too deep. Use "SET x TO y" to increase it.') == "too deep."
    assert len(clean("x" * 10_000)) == 2000
