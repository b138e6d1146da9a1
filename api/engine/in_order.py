"""Whether a parquet file gives the same rows in the same order as the Arrow file that is mapped instead of it.

Those of the project do. In those of others rows may come in any order, and values be of other types.
"""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec


def is_as_mapped(spec: DatasetSpec, blob: Path) -> bool:
    """Whether the columns have the spec's types, times are whole milliseconds, and rows are sorted as `sort` says.

    Raises:
        OSError, pa.ArrowException, pl.exceptions.PolarsError: it cannot be read.
    """
    present = pq.read_schema(blob)
    known = [field for field in spec.arrow_schema() if field.name in present.names]
    if not all(_is_alike(present.field(field.name).type, field.type) for field in known):
        return False
    times = [field.name for field in known if pa.types.is_timestamp(field.type)]
    columns = list(dict.fromkeys((*spec.sort, *times)))
    rows = pl.read_parquet(blob, columns=columns, hive_partitioning=False)
    whole = [(pl.col(name).dt.epoch("us") % 1000 == 0).all() for name in times]
    found: pl.DataFrame = rows.select(pl.all_horizontal(_sorted(spec.sort), *whole))
    return bool(found.item())


def _sorted(names: tuple[str, ...]) -> pl.Expr:
    """Whether no row comes before the one above it."""
    ordered: Any = pl.lit(value=True)
    for name in reversed(names):
        value, above = pl.col(name), pl.col(name).shift(1)
        ordered = (value > above) | ((value == above) & ordered)
    whole: pl.Expr = ordered.slice(1).all(ignore_nulls=False).fill_null(value=False)
    return whole


def _is_alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of a column come out the same: text and lists of either size, and times of an earlier form."""
    if pa.types.is_list(wanted):
        is_list = pa.types.is_list(found) or pa.types.is_large_list(found)
        return bool(is_list and _is_alike(found.value_type, wanted.value_type))
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(found) and found.tz == wanted.tz and found.unit in {"ms", wanted.unit})
    return bool(found == wanted or (pa.types.is_string(wanted) and pa.types.is_large_string(found)))
