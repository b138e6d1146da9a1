"""The shape of a row of each dataset, for the OpenAPI schema."""

from typing import Annotated

import msgspec
from msgspec import Meta

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind

_TYPES = {
    ColumnKind.TEXT: str | None,
    ColumnKind.NUMBER: float | None,
    ColumnKind.COUNT: int | None,
    ColumnKind.FLAG: bool | None,
    ColumnKind.TIME: str | None,
}


def _row_struct(name: str, spec: DatasetSpec) -> type[msgspec.Struct]:
    """A row of a dataset as JSON: `columns=` may leave any column out, `numbers=string` turns numbers into text."""
    fields = []
    for column in spec.columns:
        kind = float | str | None if column.kind is ColumnKind.NUMBER else _TYPES[column.kind]
        fields.append((column.name, Annotated[kind | msgspec.UnsetType, Meta(description=column.doc)], msgspec.UNSET))
    return msgspec.defstruct(name, fields, module=__name__)


MarketRow = _row_struct("MarketRow", MARKET)


Candle = _row_struct("Candle", OHLC)
