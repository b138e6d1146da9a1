"""What must hold for rows that are to be published, derived from the DatasetSpec. Pure: frames in, problems out."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.row_bounds import broken_bounds
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.tables import FETCHED
from datahub_assets.domain.times import MINUTE_MS

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """A name, a sentence, and a function that says what is wrong with a frame at a time (epoch ms)."""

    name: str
    description: str
    broken: Callable[[pl.DataFrame, int], list[str]]


def of(spec: DatasetSpec) -> list[Rule]:
    """All rules for rows of this dataset."""
    bounds = broken_bounds(spec)
    return [
        Rule(
            "columns_and_types",
            "Columns and types are those of the dataset.",
            lambda frame, _now: _columns(spec, frame),
        ),
        Rule(
            "key_unique",
            "Every row says what it is, of when and whether it is final, and no key comes twice.",
            lambda frame, _now: _keys(spec, frame),
        ),
        Rule(
            "not_ahead",
            f"No row is stamped more than {spec.ahead_ms // MINUTE_MS} minutes ahead.",
            lambda frame, now: _failing(spec, frame, [(spec.time_ms() > now + spec.ahead_ms, "ahead of time")]),
        ),
        Rule(
            "numbers_plausible",
            "Numbers are finite and within the bounds of their columns, and agree with each other.",
            lambda frame, _now: _failing(spec, frame, bounds),
        ),
    ]


def _columns(spec: DatasetSpec, frame: pl.DataFrame) -> list[str]:
    expected, found = spec.polars_schema(), dict(frame.schema)
    if found == expected and list(found) == list(expected):
        return []
    return [f"columns are {found}, expected {expected}"]


def _keys(spec: DatasetSpec, frame: pl.DataFrame) -> list[str]:
    key = list(spec.key)
    needed = {*spec.required, FETCHED, *([spec.final] if spec.final is not None else [])}
    lacking = {name: frame[name].null_count() for name in spec.column_names if name in needed}
    groups = [] if spec.group is None else sorted(set(frame[spec.group].drop_nulls()) - set(spec.groups))
    twice = frame.group_by(key).len().filter(pl.col("len") > 1).sort(key)
    return [
        *(f"{count} rows without {name}" for name, count in lacking.items() if count),
        *([f"rows of {spec.group} {', '.join(groups)}, which no file is for"] if groups else []),
        *([f"{twice.height} keys come more than once: {_named(twice.select(key))}"] if twice.height else []),
    ]


def _failing(spec: DatasetSpec, frame: pl.DataFrame, rules: list[tuple[pl.Expr, str]]) -> list[str]:
    """A line for each rule that rows break: how many, why, and the first of their keys."""
    if not rules:
        return []
    broken = frame.select(bad.fill_null(value=False).alias(f"{at}") for at, (bad, _) in enumerate(rules))
    counts = broken.sum().row(0)
    return [
        f"{count} rows {why}: {_named(frame.filter(broken[f'{at}']).select(list(spec.key)))}"
        for at, (count, (_, why)) in enumerate(zip(counts, rules, strict=True))
        if count
    ]


def _named(keys: pl.DataFrame) -> str:
    shown = ", ".join(" ".join(map(str, row)) for row in keys.head(_SHOWN).rows())
    return shown if keys.height <= _SHOWN else f"{shown}, …"
