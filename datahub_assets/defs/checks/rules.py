"""What must hold for rows that are to be published, derived from the DatasetSpec. Pure: frames in, problems out."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.times import MINUTE_MS

AHEAD_MS = 5 * MINUTE_MS
_SHOWN = 5
_CANDLE = {"open", "high", "low", "close"}
_POSITIVE = {"price", *_CANDLE}
_NOT_NEGATIVE = ("volume", "market_cap", "trade_count", "supply")


@dataclass(frozen=True, slots=True)
class Rule:
    """A name, a sentence, and a function that says what is wrong with a frame at a time (epoch ms)."""

    name: str
    description: str
    broken: Callable[[pl.DataFrame, int], list[str]]


def of(spec: DatasetSpec) -> list[Rule]:
    """All rules for rows of this dataset."""
    return [
        Rule(
            "columns_and_types",
            "Columns and types are those of the dataset.",
            lambda frame, _now: _columns(spec, frame),
        ),
        Rule("key_unique", "Every row has a key, and no key comes twice.", lambda frame, _now: _keys(spec, frame)),
        Rule(
            "not_ahead",
            "No timestamp is more than 5 minutes ahead.",
            lambda frame, now: _failing(
                spec, frame, pl.col("timestamp").dt.epoch("ms") > now + AHEAD_MS, "ahead of time"
            ),
        ),
        Rule(
            "numbers_plausible",
            "Numbers are finite, prices positive, volumes not negative; open and close lie within low and high.",
            lambda frame, _now: [
                problem for bad, why in _bad_numbers(spec) for problem in _failing(spec, frame, bad, why)
            ],
        ),
    ]


def _columns(spec: DatasetSpec, frame: pl.DataFrame) -> list[str]:
    expected, found = spec.polars_schema(), dict(frame.schema)
    if found == expected and list(found) == list(expected):
        return []
    return [f"columns are {found}, expected {expected}"]


def _keys(spec: DatasetSpec, frame: pl.DataFrame) -> list[str]:
    key = list(spec.key)
    missing = frame.filter(pl.any_horizontal(pl.col(key).is_null())).height
    twice = frame.group_by(key).len().filter(pl.col("len") > 1).sort(key)
    return [
        *([f"{missing} rows without a key"] if missing else []),
        *([f"{twice.height} keys come more than once: {_named(twice.select(key))}"] if twice.height else []),
    ]


def _bad_numbers(spec: DatasetSpec) -> list[tuple[pl.Expr, str]]:
    names = {column.name: column for column in spec.columns}
    numbers = [column.name for column in spec.columns if column.kind is ColumnKind.NUMBER]
    counted = [
        name
        for name in names
        if any(word in name for word in _NOT_NEGATIVE) and names[name].kind is not ColumnKind.TEXT
    ]
    rules = [
        (pl.any_horizontal(~pl.col(numbers).is_finite()), "not finite"),
        (pl.any_horizontal(pl.col(sorted(_POSITIVE & set(numbers))) <= 0), "price not positive"),
        (pl.any_horizontal(pl.col(counted) < 0), "volume negative"),
    ]
    if set(names) >= _CANDLE:
        inside = pl.min_horizontal("open", "close") >= pl.col("low")
        rules.append(
            (~(inside & (pl.max_horizontal("open", "close") <= pl.col("high"))), "open or close outside low and high")
        )
    return rules


def _failing(spec: DatasetSpec, frame: pl.DataFrame, bad: pl.Expr, why: str) -> list[str]:
    found = frame.filter(bad.fill_null(value=False))
    return [f"{found.height} rows {why}: {_named(found.select(list(spec.key)))}"] if found.height else []


def _named(keys: pl.DataFrame) -> str:
    shown = ", ".join(" ".join(map(str, row)) for row in keys.head(_SHOWN).rows())
    return shown if keys.height <= _SHOWN else f"{shown}, …"
