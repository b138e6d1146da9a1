"""Frames as Arrow tables with the types of the dataset's own files: plain strings, `timestamp[us, UTC]`."""

import polars as pl
import pyarrow as pa


def table_of(frame: pl.DataFrame) -> pa.Table:
    """The same rows as Arrow, in one piece, so that bytes do not depend on how they came together.

    Without 64-bit offsets, which polars has and other readers seldom expect.
    """
    table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(pa.schema([field.with_type(_narrow(field.type)) for field in table.schema]))


def _narrow(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_list(kind):
        return pa.list_(_narrow(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_narrow(field.type)) for field in kind])
    return pa.string() if pa.types.is_large_string(kind) else kind
