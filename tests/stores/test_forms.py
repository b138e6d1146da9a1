"""Forms of files: what counts as another one, and tables of an earlier one read as today's."""

import errno
import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.rows import Checked
from datahub_assets.stores import forms, landing
from datahub_assets.stores.forms import OtherForm
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.footers import Footer, read_footer
from tests.datasets.foreign import INCIDENTS
from tests.earlier_form import IN_MS, earlier, schema_with_times
from tests.stores.world import GAPS, START_MS, candles, market

SCHEMA = pa.schema([pa.field("a", pa.string(), nullable=False), pa.field("b", pa.float64())])


@pytest.mark.parametrize("part", [OHLC, MARKET, INCIDENTS, GAPS], ids=lambda part: part.name)
def test_a_file_of_ours_is_of_todays_form_and_one_of_another_unit_is_not(part) -> None:  # type: ignore[no-untyped-def]
    written = layout.write(part, pl.DataFrame(schema=part.polars_schema()))
    assert read_footer(io.BytesIO(written), name="x") == Footer(0, forms.todays_form(part))
    assert read_footer(io.BytesIO(earlier(written)), name="x").form != forms.todays_form(part)


@pytest.mark.parametrize(
    "other",
    [
        pa.schema([SCHEMA.field("b"), SCHEMA.field("a")]),
        pa.schema([SCHEMA.field("a")]),
        pa.schema([SCHEMA.field("a").with_nullable(True), SCHEMA.field("b")]),
        pa.schema([SCHEMA.field("a"), pa.field("b", pa.float32())]),
        pa.schema([SCHEMA.field("a").with_name("c"), SCHEMA.field("b")]),
    ],
    ids=["order", "fewer", "nullable", "type", "name"],
)
def test_the_form_tells_each_difference(other: pa.Schema) -> None:
    assert forms.form_of(other) != forms.form_of(SCHEMA)


def test_what_readers_do_not_see_is_no_difference() -> None:
    assert forms.form_of(SCHEMA.with_metadata({"by": "somebody"})) == forms.form_of(SCHEMA)
    lists = [pa.schema([pa.field("a", pa.list_(pa.field(name, pa.string())))]) for name in ("item", "element")]
    assert forms.form_of(lists[0]) == forms.form_of(lists[1])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.large_string(), ["C0"]),
        (pa.string_view(), ["C0"]),
        (pa.dictionary(pa.int32(), pa.string()), ["C0"]),
        (pa.null(), [None]),
    ],
    ids=str,
)
def test_the_same_values_written_in_another_way_are_read(kind: pa.DataType, values: list[object]) -> None:
    table = market(START_MS, coins=1).to_arrow().cast(MARKET.arrow_schema())
    place = table.schema.get_field_index("symbol")
    changed = table.set_column(place, "symbol", pa.array(values, kind))
    assert forms.as_today(MARKET, changed).column("symbol").to_pylist() == values


@pytest.mark.parametrize("kind", [pa.int64(), pa.timestamp("us"), pa.string()], ids=str)
def test_a_time_that_may_mean_something_else_is_refused(kind: pa.DataType) -> None:
    table = market(START_MS, coins=1).to_arrow().cast(MARKET.arrow_schema())
    changed = table.set_column(table.schema.get_field_index("timestamp"), "timestamp", pa.nulls(1, kind))
    with pytest.raises(OtherForm, match="in the column timestamp"):
        forms.as_today(MARKET, changed)


def test_a_file_written_anew_has_the_bytes_it_would_have_been_written_with() -> None:
    """Also where its row groups were others, and one does not end where another begins."""
    rows = candles(START_MS, pairs=60, back=2000, intervals=["1h"]).sort(OHLC.sort)
    assert rows.height > 2 * layout.ROW_GROUP_ROWS
    wanted = layout.write(OHLC, rows)
    for group in (7_001, layout.ROW_GROUP_ROWS, 1_000_000):
        table = rows.to_arrow().cast(schema_with_times(OHLC.arrow_schema(), IN_MS))
        buffer, written = io.BytesIO(), io.BytesIO()
        pq.write_table(table, buffer, row_group_size=group)
        layout.rewrite(OHLC, buffer.getvalue(), written, name="x")
        assert written.getvalue() == wanted
    assert layout.write(OHLC, pl.concat([rows[:11], rows[11:70_000], rows[70_000:]], rechunk=False)) == wanted


def test_a_target_that_cannot_be_written_is_no_fault_of_the_file() -> None:
    content = earlier(layout.write(OHLC, candles(START_MS)))
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left") as caught:
        layout.rewrite(OHLC, content, full, name="x")
    assert caught.value.errno == errno.ENOSPC


def test_a_landing_file_of_another_unit_is_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = landing.land(tmp_path, MARKET, Checked(market(START_MS), ()), now_ms=START_MS)
    table = pq.read_table(path)
    pq.write_table(
        table.cast(schema_with_times(table.schema, IN_MS)).replace_schema_metadata(table.schema.metadata), path
    )
    assert landing.read_landed(path, MARKET).frame.equals(market(START_MS))
