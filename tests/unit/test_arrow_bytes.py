"""Equal rows are equal bytes, whatever lies under the nulls and however the rows were cut into batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api.arrow_bytes import nothing_under_nulls, of_equal_size

ROWS = 101
VALID = [number % 3 > 0 for number in range(ROWS)]


def bitmap(flags: list[bool], *, dirt: int) -> pa.Buffer:
    """With the bits behind the last flag as `dirt` has them."""
    bits = np.unpackbits(np.frombuffer(bytes([dirt]) * (len(flags) // 8 + 1), np.uint8), bitorder="little")
    bits[: len(flags)] = flags
    return pa.py_buffer(np.packbits(bits, bitorder="little"))


def dirty(values: pa.Array, *, dirt: int) -> pa.Array:
    """These values of a fixed width with that byte wherever there is none."""
    width = values.type.bit_width // 8
    raw = np.frombuffer(values.buffers()[1], np.uint8)[: ROWS * width].reshape(ROWS, width).copy()
    raw[~np.array(VALID)] = dirt
    return pa.Array.from_buffers(values.type, ROWS, [bitmap(VALID, dirt=dirt), pa.py_buffer(raw)])


def columns(*, dirt: int) -> Iterator[tuple[str, pa.Array]]:
    whole = pa.array(range(ROWS), pa.int64())
    for kind in (pa.int8(), pa.int64(), pa.float64(), pa.timestamp("us", "UTC"), pa.time64("us"), pa.decimal128(38, 0)):
        yield str(kind), dirty(whole.cast(kind) if not pa.types.is_time(kind) else whole.view(kind), dirt=dirt)
    flags = [number % 2 == 0 for number in range(ROWS)]
    beneath = [flag if valid else bool(dirt & 1) for flag, valid in zip(flags, VALID, strict=True)]
    bits = bitmap(beneath, dirt=dirt)
    yield "flag", pa.Array.from_buffers(pa.bool_(), ROWS, [bitmap(VALID, dirt=dirt), bits])
    yield "flag without nulls", pa.Array.from_buffers(pa.bool_(), ROWS, [None, bitmap(flags, dirt=dirt)])
    texts = [str(number) if valid else chr(dirt & 127) * 3 for number, valid in enumerate(VALID)]
    yield (
        "text",
        pa.Array.from_buffers(
            pa.string(), ROWS, [bitmap(VALID, dirt=dirt), *pa.array(texts, pa.string()).buffers()[1:]]
        ),
    )
    inner = dirty(whole, dirt=dirt)
    validity = bitmap(VALID, dirt=dirt)
    offsets = pa.py_buffer(np.arange(ROWS + 1, dtype=np.int32))
    yield "list", pa.Array.from_buffers(pa.list_(pa.int64()), ROWS, [validity, offsets], children=[inner])
    no_nulls = pa.array([number if valid else dirt for number, valid in enumerate(VALID)], pa.int64())
    yield (
        "list under nulls",
        pa.Array.from_buffers(pa.list_(pa.int64()), ROWS, [validity, offsets], children=[no_nulls]),
    )
    yield "struct", pa.Array.from_buffers(pa.struct({"a": pa.int64()}), ROWS, [validity], children=[no_nulls])


def written(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("name", [name for name, _ in columns(dirt=0)])
@pytest.mark.parametrize("cut", [slice(None), slice(5, 90)])
def test_what_lies_under_nulls_does_not_come_out(name: str, cut: slice) -> None:
    first, second = (pa.record_batch({"x": dict(columns(dirt=dirt))[name]})[cut] for dirt in (0b01010101, 0b10101010))
    assert first.equals(second)
    assert cut != slice(None) or written(first) != written(second), "nothing to hide"
    plain = nothing_under_nulls(first)
    plain.validate(full=True)
    assert plain.equals(first)
    assert written(plain) == written(nothing_under_nulls(second))


@pytest.mark.parametrize(
    "values", [{"x": [1, None, 3]}, {"x": [None, None]}, {"x": ["a", "b"]}, {"x": pa.array([], pa.bool_())}]
)
def test_other_rows_stay_as_they_are(values: dict[str, Any]) -> None:
    batch = pa.record_batch(values)
    assert nothing_under_nulls(batch).equals(batch)


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 4, 3], [4, 6], [8, 0, 2], [0, 10]])
def test_rows_are_cut_where_their_number_says(sizes: list[int]) -> None:
    ends = np.cumsum(sizes)
    batches = [pa.record_batch({"n": range(end - size, end)}) for end, size in zip(ends, sizes, strict=True)]
    batches = [batch.cast(pa.schema({"n": pa.int64()})) for batch in batches]
    cut = list(of_equal_size(batches, 4))
    assert [batch.num_rows for batch in cut] == [4, 4, 2]
    assert pa.Table.from_batches(cut)["n"].to_pylist() == list(range(10))
    without_columns = [batch.select([]) for batch in batches]
    assert [batch.num_rows for batch in of_equal_size(without_columns, 4)] == [4, 4, 2]
