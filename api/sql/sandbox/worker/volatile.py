"""Which functions may answer differently each time: DuckDB's own table of functions says so of most.

A statement that calls one has no answer that could be kept.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import duckdb

CLOCK_WORDS: Final = frozenset({"current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"})
"""What is a function though it stands without parentheses, where no column has that name."""
_SAID_TO_BE_CONSISTENT: Final = frozenset({"age", "current_localtime", "current_localtimestamp", "reservoir_quantile"})
"""What DuckDB's table is wrong about: `age` of one time is its distance from today, and the last one draws a sample."""
_RAISES: Final = "error"
"""Is said to be volatile so that it is not called too early; what it gives is no answer."""
_CALLED: Final = re.compile(r'"?(\w+)"?\s*\(|\b(' + "|".join(sorted(CLOCK_WORDS)) + r")\b")


@dataclass(frozen=True, slots=True)
class Volatile:
    """Names in lower case.

    Attributes:
        names: functions that may answer differently each time.
        callers: functions that take the name of another one as their second argument, as text.
    """

    names: frozenset[str]
    callers: frozenset[str]

    def may_be_called_by(self, call: dict[str, Any]) -> bool:
        """Whether a call in a syntax tree calls one of them, by its name or as text; a name not known may be one."""
        name = str(call["function_name"]).lower()
        if name in self.names:
            return True
        if name not in self.callers:
            return False
        named = [str(one["expression"].get("literal", {}).get("text", "")).lower() for one in call["arguments"][1:2]]
        return any(not one or one in self.names for one in named)


@cache
def volatile_functions() -> Volatile:
    """What the installed DuckDB has. Found out once, before workers are forked: it takes some 50 ms."""
    with duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0}) as connection:
        rows = connection.execute(
            "SELECT lower(function_name), stability, macro_definition, list_contains(parameters, 'function_name')"
            " FROM duckdb_functions() WHERE function_type <> 'table_macro' AND function_name <> ?",
            [_RAISES],
        ).fetchall()
    names = {name for name, stability, _, _ in rows if stability not in {None, "CONSISTENT"}} | _SAID_TO_BE_CONSISTENT
    macros = [(name, _called_in(definition)) for name, _, definition, _ in rows if definition is not None]
    more = names | CLOCK_WORDS
    while more:
        more = {name for name, called in macros if name not in names and called & (names | CLOCK_WORDS)}
        names |= more
    return Volatile(frozenset(names), frozenset(name for name, _, _, takes_name in rows if takes_name))


def _called_in(definition: str) -> set[str]:
    return {called or word for called, word in _CALLED.findall(definition.lower())}
