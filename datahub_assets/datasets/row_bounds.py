"""The bounds of a dataset's rows as expressions: each says which rows of a frame break it."""

from collections.abc import Iterator

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec, RowRule
from datahub_assets.domain.columns import Column, ColumnKind


def broken_bounds(spec: DatasetSpec) -> list[tuple[pl.Expr, str]]:
    """What its columns and rules do not allow, each with words: `with open not above 0`. Nulls break none."""
    return [*_of_columns(spec), *((_breaks(rule), rule.why) for rule in spec.rules)]


def _of_columns(spec: DatasetSpec) -> Iterator[tuple[pl.Expr, str]]:
    for column in spec.columns:
        yield from ((broken, f"with {column.name} {why}") for broken, why in _of_column(column))


def _of_column(column: Column) -> Iterator[tuple[pl.Expr, str]]:
    value = pl.col(column.name)
    if column.kind is ColumnKind.NUMBER:
        yield ~value.is_finite(), "not finite"
    if column.at_least is not None:
        yield value < column.at_least, f"below {column.at_least}"
    if column.above is not None:
        yield value <= column.above, f"not above {column.above}"


def _breaks(rule: RowRule) -> pl.Expr:
    """Where a row breaks a rule between its columns."""
    below = [pl.col(name) < pl.col(rule.at_least) for name in rule.columns if rule.at_least is not None]
    above = [pl.col(name) > pl.col(rule.at_most) for name in rule.columns if rule.at_most is not None]
    return pl.any_horizontal(*below, *above)
