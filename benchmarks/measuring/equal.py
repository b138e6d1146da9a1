"""Whether all contestants give the same answer to the same question; asked before anything is timed."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from benchmarks.made.questions import Format
from benchmarks.measuring.ask import body_of
from benchmarks.servers.contestant import Contestant

Row = tuple[object, ...]
_TIMES: Final = frozenset({"timestamp", "day"})


class NotEqual(Exception):
    """Two contestants answered the same question differently: there is nothing to compare in time."""


def rows(body: bytes, of: Format) -> list[Row]:
    """The rows of an answer as plain values in a common form, sorted: column names, times and flags agree."""
    if of is Format.JSON:
        return _plain(json.loads(body))
    readers = {Format.ARROW: pl.read_ipc_stream, Format.PARQUET: pl.read_parquet, Format.CSV: pl.read_csv}
    return _plain(readers[of](io.BytesIO(body)).to_dicts())


def must_agree(requests: Sequence[tuple[Contestant, bytes]], *, of: Format, count: int | None = None) -> None:
    """Ask all and compare all with the first.

    Raises:
        NotEqual: rows or values differ (floats by more than a rounding), or there are not `count` rows.
    """
    answers = [(contestant.name, rows(body_of(contestant.server, request), of)) for contestant, request in requests]
    first_name, first = answers[0]
    if not first or (count is not None and len(first) != count):
        raise NotEqual(f"{first_name} gave {len(first)} rows, expected {count or 'some'}")
    for name, other in answers[1:]:
        if len(first) != len(other):
            raise NotEqual(f"{first_name} gave {len(first)} rows, {name} {len(other)}")
        for ours, theirs in zip(first, other, strict=True):
            if not _same(ours, theirs):
                raise NotEqual(f"{first_name} says {ours}, {name} says {theirs}")


def _plain(objects: Sequence[Mapping[str, Any]]) -> list[Row]:
    return sorted(
        (tuple(_value(name, record[name]) for name in sorted(record)) for record in objects),
        key=lambda row: tuple(str(value) for value in row if isinstance(value, str)),
    )


def _value(name: str, value: Any) -> object:
    if name in _TIMES:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC).isoformat()
    if name == "closed":
        return value in {True, "true"}
    return value


def _same(ours: Row, theirs: Row) -> bool:
    def equal(one: object, other: object) -> bool:
        if isinstance(one, float | int) and isinstance(other, float | int):
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
        return one == other

    return len(ours) == len(theirs) and all(map(equal, ours, theirs))
