"""The dataset specs hold together: what everything else is derived from agrees with itself."""

import pyarrow as pa
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.tables import Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

specs = pytest.mark.parametrize("spec", DATASETS.values(), ids=DATASETS.keys())


@specs
def test_names_refer_to_columns(spec: DatasetSpec) -> None:
    assert len(set(spec.column_names)) == len(spec.column_names)
    assert {*spec.key, *spec.sort, *spec.series} <= set(spec.column_names)
    assert set(spec.series) < set(spec.key)
    assert spec.group is None or spec.group in spec.key
    assert {"provider", "timestamp", "ingested_at"} <= set(spec.column_names)


@specs
def test_only_the_key_may_not_be_null(spec: DatasetSpec) -> None:
    required = {field.name for field in spec.arrow_schema() if not field.nullable}
    assert required == set(spec.key)


@specs
def test_arrow_and_polars_tell_the_same_types(spec: DatasetSpec) -> None:
    polars = pa.schema([(name, kind.to_arrow()) for name, kind in _empty(spec).items()])
    for field in spec.arrow_schema():
        assert polars.field(field.name).type in {field.type, pa.large_string()}


def _empty(spec: DatasetSpec) -> dict[str, "_Typed"]:
    return {name: _Typed(spec, name) for name in spec.polars_schema()}


class _Typed:
    def __init__(self, spec: DatasetSpec, name: str) -> None:
        import polars as pl

        self._frame = pl.DataFrame(schema={name: spec.polars_schema()[name]})
        self._name = name

    def to_arrow(self) -> pa.DataType:
        return self._frame.to_arrow().schema.field(self._name).type


def test_an_unknown_column_is_a_key_error() -> None:
    assert MARKET.column("price").kind is ColumnKind.NUMBER
    with pytest.raises(KeyError):
        MARKET.column("colour")


@pytest.mark.parametrize(
    ("spec", "now_ms", "start_ms"),
    [
        (MARKET, 10 * HOUR_MS + 9 * MINUTE_MS, 9 * HOUR_MS),
        (MARKET, 10 * HOUR_MS + 10 * MINUTE_MS, 10 * HOUR_MS),
        (OHLC, 5 * DAY_MS + 9 * MINUTE_MS, 4 * DAY_MS),
        (OHLC, 5 * DAY_MS + 10 * MINUTE_MS, 5 * DAY_MS),
    ],
)
def test_a_window_rolls_ten_minutes_after_its_end(spec: DatasetSpec, now_ms: int, start_ms: int) -> None:
    assert spec.window_start(now_ms) == start_ms


@pytest.mark.parametrize(("group", "period"), [("1h", Period.MONTH), ("4h", Period.MONTH), ("1d", Period.YEAR)])
def test_candles_are_sealed_by_month_and_daily_ones_by_year(group: str, period: Period) -> None:
    assert OHLC.sealed_period(group) is period


def test_prices_are_sealed_by_day() -> None:
    assert MARKET.sealed_period("") is Period.DAY


def test_only_candles_form() -> None:
    assert OHLC.has_forming_rows
    assert not MARKET.has_forming_rows
