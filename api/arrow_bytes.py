"""Arrow batches whose bytes say nothing but their values, so that equal rows are equal bytes.

Arrow says neither what lies under a null nor how many rows a batch has (Columnar format, "Validity bitmaps"): DuckDB
leaves there what was in memory before.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WIDEST_BYTES: Final = 32


def of_equal_size(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `rows`, the last one shorter: where one ends depends on nothing else."""
    waiting: list[pa.RecordBatch] = []
    missing = rows
    for batch in batches:
        start = 0
        while batch.num_rows - start >= missing:
            waiting.append(batch.slice(start, missing))
            yield _one(waiting)
            start += missing
            waiting, missing = [], rows
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            missing -= batch.num_rows - start
    if waiting:
        yield _one(waiting)


def nothing_under_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with zeros where there is no value, also within lists and structs."""
    return pa.RecordBatch.from_arrays([_plain(column) for column in batch.columns], schema=batch.schema)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _plain(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_struct(kind):
        children = [_plain(child) for child in array.flatten()]  # which are null where the struct is
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=_nulls(array))
    if pa.types.is_list(kind):
        lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
        return pa.ListArray.from_arrays(offsets, _plain(array.flatten()), type=kind, mask=_nulls(array))
    if pa.types.is_null(kind) or not (array.null_count or pa.types.is_boolean(kind)):
        return array
    return _zeroed(array)


def _nulls(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _zeroed(array: pa.Array) -> pa.Array:
    """Values without nesting; bits behind the last one are zeros too."""
    kind = array.type
    values = pc.fill_null(array, _zero(kind)) if array.null_count else array
    if pa.types.is_boolean(kind):
        buffers, offset = [_bits(values)], 0
    else:
        buffers, offset = values.buffers()[1:], values.offset
    if not array.null_count:
        return pa.Array.from_buffers(kind, len(array), [None, *buffers], 0, offset)
    valid = array.is_valid()
    return pa.Array.from_buffers(kind, len(array), [_bits(valid, first=offset), *buffers], array.null_count, offset)


def _bits(flags: pa.Array, *, first: int = 0) -> pa.Buffer:
    """A bitmap of flags, behind `first` others that mean nothing."""
    bits = flags.to_numpy(zero_copy_only=False)
    return pa.py_buffer(np.packbits(np.pad(bits, (first, 0)), bitorder="little"))


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(kind):
        return pa.scalar("", kind)
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bytes(_WIDEST_BYTES))])[0]
