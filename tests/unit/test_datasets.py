"""The dataset specs hold together: what everything else is derived from agrees with itself."""

from dataclasses import replace
from datetime import datetime

import polars as pl
import pyarrow as pa
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.checks import rules
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.datasets.foreign import INCIDENTS, RECEIPTS

ALL = (*DATASETS.values(), INCIDENTS, RECEIPTS)
specs = pytest.mark.parametrize("spec", ALL, ids=[spec.name for spec in ALL])


@specs
def test_orders_are_total_and_of_columns(spec: DatasetSpec) -> None:
    """Rows of one key are one row, so an order that has the whole key leaves no two rows apart undecided."""
    for order in (spec.file_order, spec.page_order):
        assert set(spec.key) <= set(order) <= set(spec.column_names)
        assert len(set(order)) == len(order)
    assert spec.page_order[0] == spec.time


@pytest.mark.parametrize(
    ("spec", "sort", "page_order", "series"),
    [
        (MARKET, ("coin_id", "timestamp"), ("timestamp", "coin_id"), ("coin_id",)),
        (OHLC, ("symbol", "timestamp"), ("timestamp", "symbol", "interval"), ("symbol", "interval")),
        (INCIDENTS, ("timestamp", "incident_id"), ("timestamp", "incident_id"), ()),
        (RECEIPTS, ("register", "stamped_at", "number"), ("stamped_at", "register", "number"), ("register",)),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_order_and_series(
    spec: DatasetSpec, sort: tuple[str, ...], page_order: tuple[str, ...], series: tuple[str, ...]
) -> None:
    assert (spec.sort, spec.page_order, spec.series_columns) == (sort, page_order, series)


@specs
def test_only_what_places_a_row_may_not_be_null(spec: DatasetSpec) -> None:
    required = {field.name for field in spec.arrow_schema() if not field.nullable}
    assert required == {*spec.key, spec.time, *spec.series_columns}


@specs
def test_arrow_and_polars_tell_the_same_types(spec: DatasetSpec) -> None:
    polars = pl.DataFrame(schema=spec.polars_schema()).to_arrow().schema
    large = {pa.string(): pa.large_string(), pa.list_(pa.string()): pa.large_list(pa.large_string())}
    for field in spec.arrow_schema():
        assert polars.field(field.name).type == large.get(field.type, field.type)


def test_an_unknown_column_is_a_key_error() -> None:
    assert MARKET.column("price").kind is ColumnKind.NUMBER
    with pytest.raises(KeyError):
        MARKET.column("colour")


@pytest.mark.parametrize(
    ("spec", "now_ms", "start_ms"),
    [
        (MARKET, 10 * HOUR_MS + 9 * MINUTE_MS, 9 * HOUR_MS),
        (MARKET, 10 * HOUR_MS + 10 * MINUTE_MS, 10 * HOUR_MS),
        (OHLC, 5 * DAY_MS + 9 * MINUTE_MS, 5 * DAY_MS - HOUR_MS),
        (INCIDENTS, 5 * DAY_MS + 9 * MINUTE_MS, 4 * DAY_MS),
        (OHLC, 5 * DAY_MS + 10 * MINUTE_MS, 5 * DAY_MS),
    ],
)
def test_a_window_rolls_ten_minutes_after_its_end(spec: DatasetSpec, now_ms: int, start_ms: int) -> None:
    assert spec.window_start(now_ms) == start_ms


def test_candles_that_come_faster_than_one_an_hour_are_kept_by_day_and_others_by_month() -> None:
    assert OHLC.periods == {
        Period.DAY: ("1m", "3m", "5m", "15m", "30m"),
        Period.MONTH: ("1h", "2h", "4h", "6h", "8h", "12h", "1d"),
    }


def test_prices_are_sealed_by_day() -> None:
    assert MARKET.partitioning == ByTime(Period.DAY)


def test_rows_form_where_the_spec_names_a_column() -> None:
    assert {spec.name: spec.final for spec in ALL} == {
        "market": None, "ohlc": "closed", "listings": None, "news": None,
        "blocks": "finalized", "network": None, "incidents": None, "receipts": "settled",
    }  # fmt: skip


@specs
def test_a_row_of_examples_is_a_row(spec: DatasetSpec) -> None:
    times = {column.name for column in spec.columns if column.kind is ColumnKind.TIME}
    row = {
        name: datetime.fromisoformat(str(value)) if name in times and value is not None else value
        for name, value in spec.example.items()
    }
    frame = frame_of(spec, [{name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}])
    assert [problem for rule in rules.of(spec) for problem in rule.broken(frame, 10**13)] == []


@specs
def test_a_spec_can_be_remembered_by(spec: DatasetSpec) -> None:
    assert {spec: 1}[replace(spec)] == 1


@pytest.mark.parametrize(
    ("spec", "name", "meaning"),
    [(MARKET, "price", "price of one coin, USD"), (MARKET, "name", "the coin's name")],
)
def test_a_meaning_has_its_unit(spec: DatasetSpec, name: str, meaning: str) -> None:
    assert spec.column(name).meaning == meaning
