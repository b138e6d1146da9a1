"""A dataset's filters as conditions on rows."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind

Condition = tuple[Filter, tuple[str, ...]]
"""A filter and its values, as the column spells them."""
_WORD: Final = r"(?i)(?:^|\W){}(?:\W|$)"
"""A word, with no letter, digit or _ next to it."""


def condition(spec: DatasetSpec, one: Filter, values: Sequence[str]) -> pl.Expr:
    """Which rows a filter means.

    Args:
        spec: the dataset.        one: a filter of it.
        values: as the column spells them; of a column of counts, digits; none for a flag.
    """
    column = pl.col(one.column)
    if one.words:
        return pl.all_horizontal(
            column.str.contains(_WORD.format(re.escape(word))) for word in " ".join(values).split()
        )
    match spec.column(one.column).kind:
        case ColumnKind.FLAG:
            return column
        case ColumnKind.TEXTS:
            return pl.any_horizontal(column.list.contains(value) for value in values)
        case ColumnKind.COUNT:
            return column.is_in([int(value) for value in values])
        case _:
            return column.is_in(list(values))


def holding(spec: DatasetSpec, where: Sequence[Condition], rows: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Of each row whether all these conditions hold; a value that is missing fulfils none."""
    mask = np.ones(rows.height, dtype=np.bool_)
    for one, values in where:
        if spec.column(one.column).kind is ColumnKind.FLAG:  # not by an expression, whose planning costs more
            found = rows[one.column]
        else:
            found = rows.select_seq(condition(spec, one, values)).to_series()
        mask &= found.fill_null(value=False).to_numpy()
    return mask
