"""Brings an answer's columns into types that every format and its readers know.

Kept: booleans, integers, floats, decimals, text, dates, times, and lists and structs of these. Everything else (maps,
unions, intervals, blobs, enums, …) becomes text: JSON where it is nested, DuckDB's own words otherwise.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN: Final = frozenset(
    [
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "hugeint",
        "utinyint",
        "usmallint",
        "uinteger",
        "ubigint",
        "float",
        "double",
        "decimal",
        "varchar",
        "date",
        "time",
        "timestamp",
        "timestamp_s",
        "timestamp_ms",
        "timestamp_ns",
    ]
) | {"timestamp with time zone"}
_NESTED: Final = frozenset({"list", "array", "struct", "map", "union", "variant"})
_KEPT_NESTED: Final = frozenset({"list", "struct"})
_NULL: Final = "null"
_HUGE: Final = pa.decimal128(38, 0)
_FIRST_DAY: Final = -719_162  # 0001-01-01 and 9999-12-31 in days since 1970: what calendars of all readers have
_LAST_DAY: Final = 2_932_896
_PER_DAY: Final = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


_MOST_DIGITS: Final = 38
"""What a decimal of Arrow holds; DuckDB's HUGEINT reaches a little further."""


class Unpresentable(ValueError):
    """A value that the formats cannot say: a time no calendar has, such as `infinity`, or too many digits."""


def presentable(types: Sequence[Any], *, flat: bool) -> str | None:
    """The projection (in SQL, by position) that makes DuckDB types presentable; None where nothing has to change.

    `flat` turns nested columns into JSON text, for formats without nesting; lists of texts stay, as those formats join
    them in a way of their own.
    """
    terms = [_term(number, kind, flat=flat) for number, kind in enumerate(types, start=1)]
    return ", ".join(terms) if any("(" in term for term in terms) else None


def _term(number: int, kind: Any, *, flat: bool) -> str:
    if kind.id == _NULL:
        return f"CAST(#{number} AS VARCHAR)"
    if kind.id in _PLAIN or (_is_texts(kind) if flat else _is_kept(kind)):
        return f"#{number}"
    return f"CAST(to_json(#{number}) AS VARCHAR)" if kind.id in _NESTED else f"CAST(#{number} AS VARCHAR)"


def _is_texts(kind: Any) -> bool:
    return bool(kind.id == "list" and kind.children[0][1].id == "varchar")


def _is_kept(kind: Any) -> bool:
    if kind.id in _KEPT_NESTED:
        return all(_is_kept(child) for _name, child in kind.children)
    return kind.id in _PLAIN


def settled(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table under names that are each used once, whole sums as 64-bit integers where they fit.

    Raises:
        Unpresentable: a date or time lies outside the years 1 to 9999, a time outside its day, or an integer has more
            than 38 digits.
    """
    columns = [_narrowed(column) for column in table.columns]
    for name, column in zip(names, columns, strict=True):
        for leaf in (leaf for chunk in column.chunks for leaf in _leaves(chunk)):
            if _is_time(leaf.type) and not _in_calendar(leaf):
                raise Unpresentable(f"column {name!r} holds times outside the years 1 to 9999; cast it to VARCHAR")
            if pa.types.is_time(leaf.type) and not _in_day(leaf):
                raise Unpresentable(f"column {name!r} holds the time 24:00:00; cast it to VARCHAR")
            if leaf.type == _HUGE and not _in_digits(leaf):
                raise Unpresentable(
                    f"column {name!r} holds integers of more than {_MOST_DIGITS} digits; cast it to VARCHAR"
                )
    return pa.table(columns, names=_unique(names))


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type != _HUGE:  # DuckDB's HUGEINT, the type of sum() over integers
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _unique(names: Sequence[str]) -> list[str]:
    """Names that come again get a number behind them, none that another column has."""
    taken = set(names)
    numbers: dict[str, int] = {}
    unique = []
    for name in names:
        candidate = name
        if name in numbers:
            while candidate in taken:
                numbers[name] += 1
                candidate = f"{name}_{numbers[name]}"
        numbers.setdefault(name, 0)
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The values that lists and structs are made of."""
    if pa.types.is_list(array.type):
        yield from _leaves(array.flatten())
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _leaves(child)
    else:
        yield array


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date32(kind))


def _in_calendar(array: pa.Array) -> bool:
    if pa.types.is_date32(array.type):
        scale, values = 1, array.view(pa.int32())
    else:
        scale, values = _PER_DAY[array.type.unit], array.view(pa.int64())
    extremes = pc.min_max(values)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return low is None or (low >= _FIRST_DAY * scale and high < (_LAST_DAY + 1) * scale)


def _in_day(array: pa.Array) -> bool:
    latest = pc.max(array.view(pa.int64())).as_py()
    return latest is None or latest < _PER_DAY[array.type.unit]


def _in_digits(array: pa.Array) -> bool:
    extremes = pc.min_max(array)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return low is None or bool(low > -(10**_MOST_DIGITS) and high < 10**_MOST_DIGITS)
