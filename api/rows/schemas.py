"""The shape of a row of each dataset, for the OpenAPI schema, and a real one as its example."""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.times import iso_short, iso_to_ms

_TYPES: Final[dict[ColumnKind, Any]] = {
    ColumnKind.TEXT: str | None,
    ColumnKind.TEXTS: list[str] | None,
    ColumnKind.NUMBER: float | str | None,
    ColumnKind.COUNT: int | None,
    ColumnKind.FLAG: bool | None,
    ColumnKind.TIME: str | None,
}
"""As JSON; `numbers=string` turns numbers into text."""


def row_struct(spec: DatasetSpec) -> type[msgspec.Struct]:
    """A row of a dataset as JSON; `columns=` may leave any column out."""
    fields = [
        (
            column.name,
            Annotated[_TYPES[column.kind] | msgspec.UnsetType, Meta(description=column.meaning)],
            msgspec.UNSET,
        )
        for column in spec.columns
    ]
    return msgspec.defstruct(schema_name(spec), fields, module=__name__)


def schema_name(spec: DatasetSpec) -> str:
    """The name of a row's schema: `MarketRow`. No two names of datasets have the same."""
    camel = re.sub("_([a-z])", lambda letter: letter[1].upper(), spec.name)
    return f"{camel[0].upper()}{camel[1:]}Row"


def example_row(spec: DatasetSpec) -> dict[str, Any]:
    """The spec's example as an answer has it whose caller names no columns."""
    return {name: _written(spec.column(name)) for name in spec.shown_columns}


def _written(column: Column) -> Any:
    if column.kind is ColumnKind.TIME and isinstance(column.example, str):
        return iso_short(iso_to_ms(column.example))
    return list(column.example) if isinstance(column.example, tuple) else column.example
