"""Files of the datasets: what goes in comes out, in the form readers rely on."""

import io
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import selectors

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.rows import frame_of
from datahub_assets.stores.hub import layout
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.world import CORRECTIONS, GAPS, START_MS, candles

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUES = {
    ColumnKind.TEXT: st.text(max_size=5),
    ColumnKind.TEXTS: st.lists(st.none() | st.text(max_size=3), max_size=3),
    ColumnKind.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    ColumnKind.COUNT: st.integers(-(2**63), 2**63 - 1),
    ColumnKind.FLAG: st.booleans(),
    ColumnKind.TIME: st.integers(0, 4_102_444_800_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms)),
}


def value(column: Column, required: Collection[str]) -> st.SearchStrategy[object]:
    return VALUES[column.kind] if column.name in required else st.none() | VALUES[column.kind]


def frames(spec: DatasetSpec | LedgerSpec) -> st.SearchStrategy[tuple[DatasetSpec | LedgerSpec, pl.DataFrame]]:
    required = spec.required if isinstance(spec, DatasetSpec) else spec.key
    row = st.fixed_dictionaries({column.name: value(column, required) for column in spec.columns})
    return st.lists(row, max_size=4).map(lambda rows: (spec, frame_of(spec, rows)))


@settings(deadline=None, max_examples=60)
@given(st.one_of(frames(MARKET), frames(OHLC), frames(INCIDENTS), frames(RECEIPTS), frames(GAPS), frames(CORRECTIONS)))
def test_a_frame_comes_back_as_it_was(case: tuple[DatasetSpec | LedgerSpec, pl.DataFrame]) -> None:
    spec, frame = case
    content = layout.write(spec, frame)
    assert layout.read(spec, content, name="x").equals(frame)
    assert layout.write(spec, frame) == content, "equal frames give equal bytes"
    assert pq.read_schema(io.BytesIO(content)).equals(spec.arrow_schema())


def test_the_form_of_a_file() -> None:
    rows = candles(START_MS, pairs=100, back=700, intervals=["1h"]).sort(OHLC.sort)
    file = pq.ParquetFile(io.BytesIO(layout.write(OHLC, rows)))
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == [layout.ROW_GROUP_ROWS, rows.height - layout.ROW_GROUP_ROWS]
    column = file.metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.has_offset_index
    assert column.has_column_index
    assert column.statistics.min == "P0USDT"


def test_an_empty_file_has_no_row_group() -> None:
    content = layout.write(GAPS, frame_of(GAPS, []))
    assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 0
    assert layout.read(GAPS, content, name="gaps").is_empty()


def test_readers_may_add_columns_but_not_take_any_away() -> None:
    more = io.BytesIO()
    candles(START_MS).with_columns(note=pl.lit("mine")).write_parquet(more)
    assert layout.read(OHLC, more.getvalue(), name="x").equals(candles(START_MS))
    less = io.BytesIO()
    candles(START_MS).drop("symbol", "interval", "close").write_parquet(less)
    with pytest.raises(HubContentInvalid, match="today lacks the columns symbol, interval"):
        layout.read(OHLC, less.getvalue(), name="today")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_are_whole_milliseconds_in_any_unit(unit: Literal["ms", "us", "ns"]) -> None:
    rows, content = candles(START_MS), io.BytesIO()
    rows.with_columns(selectors.datetime().dt.cast_time_unit(unit)).write_parquet(content)
    assert layout.read(OHLC, content.getvalue(), name="x").equals(rows)
    finer = io.BytesIO()
    moved = pl.col("timestamp") + pl.duration(microseconds=1)
    rows.with_columns(moved.dt.cast_time_unit("ns")).write_parquet(finer)
    with pytest.raises(HubContentInvalid, match=r"x cannot be read as parquet of this dataset: .* would lose data"):
        layout.read(OHLC, finer.getvalue(), name="x")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Not found</html>", b"PAR1PAR1"],
)
def test_what_is_no_parquet_is_named(content: bytes) -> None:
    with pytest.raises(HubContentInvalid, match=r"open\.parquet at 1234"):
        layout.read(OHLC, content, name="open.parquet at 1234")


def test_a_flipped_byte_does_not_pass_for_data() -> None:
    rows = pl.concat([row_of(number) for number in range(300)])
    whole = layout.write(MARKET, rows)
    refused = 0
    for place in range(0, len(whole), len(whole) // 40):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            assert layout.read(MARKET, damaged, name="day").equals(rows), "the byte was none of the data"
        except HubContentInvalid:
            refused += 1
    assert refused > 10


def row_of(number: int) -> pl.DataFrame:
    values = {column.name: None for column in MARKET.columns} | {
        "coin_id": f"coin-{number * 7919}",
        "timestamp": number,
        "price": number / 7,
    }
    return frame_of(MARKET, [values])
