"""A dataset's filters as conditions on rows."""

from collections.abc import Sequence

import polars as pl

from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind


def condition(spec: DatasetSpec, one: Filter, values: Sequence[str]) -> pl.Expr:
    """Which rows a filter means.

    Args:
        spec: the dataset.        one: a filter of it.
        values: as the column spells them; of a column of counts, digits; none for a flag.
    """
    column = pl.col(one.column)
    match spec.column(one.column).kind:
        case ColumnKind.FLAG:
            return column
        case ColumnKind.TEXTS:
            return pl.any_horizontal(column.list.contains(value) for value in values)
        case ColumnKind.COUNT:
            return column.is_in([int(value) for value in values])
        case _:
            return column.is_in(list(values))
