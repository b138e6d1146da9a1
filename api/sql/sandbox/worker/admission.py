"""Which statements are admitted: one SELECT (or EXPLAIN of one) over the snapshot's tables and the listed functions.

Works on DuckDB's own syntax tree, in the worker; everything that is not known to be harmless is refused, so that a new
kind of statement, node or function in a newer DuckDB is refused until somebody lists it.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from api.sql.sandbox.snapshot import RESERVED_PREFIXES
from api.sql.sandbox.worker.functions import SCALARS, TABLE_FUNCTIONS
from api.sql.sandbox.worker.volatile import CLOCK_WORDS, volatile_functions

_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
)
_MODIFIERS: Final = frozenset({"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"})
_ORDERS: Final = frozenset({"ASCENDING", "DESCENDING", "ORDER_DEFAULT"})
_PLAIN_TYPES: Final = _NODES | _SOURCES | _MODIFIERS | _ORDERS
_EXPRESSIONS: Final = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "PARAMETER",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)
_SHOWN: Final = frozenset({"DESCRIBE", "SUMMARY"})
_SHOW_TABLES: Final = '"tables"'
_NOWHERE: Final = 2**64 - 1

# What may stand before an explained statement. The rest of it is checked as any statement, so that a comment this
# pattern reads otherwise than DuckDB does can only lead to a refusal. What it skipped it never tries to read in another
# way (`*+`), which would take twice as long for every further comment.
_EXPLAIN: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*+explain\b(?P<options>\s*analyze\b|\s*\([\sa-z_,]*\))?", re.IGNORECASE | re.DOTALL
)
_NEAR: Final = 0.7
_PLAIN_NAME: Final = re.compile(r"\w{1,100}")
_EXPLAIN_OPTIONS: Final = re.compile(
    r"analyze|\(\s*(?:analyze|format\s+(?:text|json|html|graphviz|yaml))"
    r"(?:\s*,\s*(?:analyze|format\s+(?:text|json|html|graphviz|yaml)))*\s*\)"
)


class Refused(Exception):
    """The statement is not admitted; `offset` is where in it, in bytes, if known."""

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class Invalid(Exception):
    """DuckDB cannot parse the statement; `offset` as in `Refused`."""

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class NoTable(Invalid):
    """The statement names a table that is not there."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A statement that may run: `prefix` ("" or `EXPLAIN … `) and `body`, the rest of the caller's text as it came.

    `shift` is added to a byte offset into prefix and body to get one into the caller's text.
    """

    prefix: str
    body: str
    shift: int
    tables: tuple[str, ...]
    repeatable: bool


def admit(sql: str, *, tables: Collection[str], serialize: Callable[[str], str]) -> Admitted:
    """Check a statement.

    Args:
        sql: the caller's text.
        tables: names of the snapshot's tables, lower case.
        serialize: DuckDB's `json_serialize_sql`.

    Raises:
        Refused: it is more than one statement, not a SELECT, or uses what is not open to callers.
        Invalid: DuckDB's parser says so.        NoTable: it names a table that is not there.
    """
    prefix, skipped = _explain_prefix(sql)
    body = sql[skipped:]
    walk = _Walk(tables)
    try:
        walk.check(_only_statement(json.loads(serialize(body))))
    except (Refused, Invalid) as error:
        if error.offset is not None:
            error.offset += len(sql[:skipped].encode())
        raise
    return Admitted(
        prefix=prefix,
        body=body,
        shift=len(sql[:skipped].encode()) - len(prefix),
        tables=tuple(sorted(walk.used)),
        repeatable=walk.repeatable and "analyze" not in prefix.lower(),
    )


def _explain_prefix(sql: str) -> tuple[str, int]:
    found = _EXPLAIN.match(sql)
    if found is None:
        return "", 0
    options = (found["options"] or "").strip().lower()
    if options and not _EXPLAIN_OPTIONS.fullmatch(options):
        if options.startswith("(") and "select" in options:  # `EXPLAIN (SELECT …)`: no options at all
            return "EXPLAIN ", found.start("options")
        raise Refused(
            "EXPLAIN takes ANALYZE and FORMAT text, json, html, graphviz or yaml",
            offset=len(sql[: found.start("options")].encode()),
        )
    return f"EXPLAIN {options} ", found.end()


def _only_statement(parsed: dict[str, Any]) -> dict[str, Any]:
    if parsed["error"]:
        if parsed.get("error_type") == "not implemented":
            raise Refused(
                "only one SELECT statement (or EXPLAIN of one, FROM …, VALUES, WITH … SELECT, DESCRIBE, SUMMARIZE, "
                "SHOW TABLES) can be run here; PIVOT needs the values named: ON … IN (…)"
            )
        position = parsed.get("position")
        raise Invalid(
            f"Parser Error: {parsed['error_message']}", offset=int(position) if position is not None else None
        )
    statements = parsed["statements"]
    if not statements:
        raise Invalid("Parser Error: there is no statement in it")
    if len(statements) != 1:
        raise Refused(f"one statement at a time, not {len(statements)}")
    return dict(statements[0])


def _offset(node: dict[str, Any]) -> int | None:
    location = node.get("query_location", _NOWHERE)
    return None if location == _NOWHERE else int(location)


class _Walk:
    """One pass over a syntax tree, without recursion: its depth is the caller's choice."""

    def __init__(self, tables: Collection[str]) -> None:
        self._tables = tables
        self._own_names: set[str] = set()
        self._asked: list[tuple[str, int | None]] = []
        self.used: set[str] = set()
        self.repeatable = True

    def check(self, statement: dict[str, Any]) -> None:
        for node in _dicts(statement):
            self._node(node)
        for name, offset in self._asked:
            if name in self._tables:
                self.used.add(name)
            elif name not in self._own_names:
                raise self._no_table(name, offset)

    def _no_table(self, name: str, offset: int | None) -> Refused | NoTable:
        """A slip, or something that only DuckDB on its own would have: a file, or a view of its catalog."""
        near = difflib.get_close_matches(name, self._tables, n=1, cutoff=_NEAR)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        message = f"there is no table {name!r}{meant}; tables: {', '.join(sorted(self._tables))}"
        is_plain = _PLAIN_NAME.fullmatch(name) is not None and not name.startswith(RESERVED_PREFIXES)
        return (NoTable if is_plain else Refused)(message, offset=offset)

    def _node(self, node: dict[str, Any]) -> None:
        if "class" in node:
            self._expression(node)
        elif isinstance(node.get("type"), str):
            self._source(node)
        if "cte_map" in node:
            self._common_tables(node["cte_map"]["map"])
        if node.get("sample") is not None:
            self.repeatable = False

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] not in _EXPRESSIONS:
            raise Refused(f"{node['class']} expressions cannot be used here", offset=_offset(node))
        if "function_name" in node:
            name = str(node["function_name"]).lower()
            if name not in SCALARS and name not in TABLE_FUNCTIONS:
                raise Refused(f"the function {name!r} cannot be used here", offset=_offset(node))
            self.repeatable = self.repeatable and not volatile_functions().may_be_called_by(node)
        if node["class"] == "COLUMN_REF" and str(node["column_names"][-1]).lower() in CLOCK_WORDS:
            self.repeatable = False

    def _source(self, node: dict[str, Any]) -> None:
        kind = node["type"]
        if kind not in _PLAIN_TYPES:
            raise Refused(f"{kind} cannot be used here, only SELECT", offset=_offset(node))
        if kind == "BASE_TABLE":
            self._base_table(node)
        elif kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise Refused(f"the table function {name!r} cannot be used here", offset=_offset(node))
        elif kind == "SHOW_REF":
            self._shown(node)

    def _base_table(self, node: dict[str, Any]) -> None:
        path = [str(part) for part in node["qualified_name"]["path"]]
        if node.get("at_clause") is not None:
            raise Refused("AT (…) cannot be used here; ask for another revision instead", offset=_offset(node))
        if len(path) != 1:
            raise Refused(f"there is no table {'.'.join(path)!r}; name tables without schema", offset=_offset(node))
        self._asked.append((path[0].lower(), _offset(node)))

    def _shown(self, node: dict[str, Any]) -> None:
        if node["show_type"] == "SHOW_SPECIAL" and node["table_name"] == _SHOW_TABLES:
            self.used.update(self._tables)
        elif node["show_type"] not in _SHOWN or node["query"] is None:
            raise Refused("of SHOW, only SHOW TABLES can be used here; DESCRIBE takes a table", offset=_offset(node))

    def _common_tables(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            name = str(entry["key"]).lower()
            # A name that the catalog knows too would reach the catalog wherever the WITH is out of sight.
            if name.startswith(RESERVED_PREFIXES):
                raise Refused(f"WITH cannot define {name!r}: the name is reserved")
            self._own_names.add(name)


def _dicts(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
