"""The shapes of answers, for the documentation and for encoding what is not rows. What fills them is elsewhere."""

from typing import Annotated

import msgspec
from msgspec import Meta

from datahub_assets.domain.datasets import MARKET, OHLC, DatasetSpec, Kind

_TYPES = {
    Kind.TEXT: str | None,
    Kind.NUMBER: float | None,
    Kind.COUNT: int | None,
    Kind.FLAG: bool | None,
    Kind.TIME: str | None,
}


def _row_struct(name: str, spec: DatasetSpec) -> type[msgspec.Struct]:
    """A row of a dataset as JSON; every column may be left out by `columns=`, and numbers be text by `numbers=string`."""
    fields = []
    for column in spec.columns:
        kind = float | str | None if column.kind is Kind.NUMBER else _TYPES[column.kind]
        fields.append((column.name, Annotated[kind | msgspec.UnsetType, Meta(description=column.doc)], msgspec.UNSET))
    return msgspec.defstruct(name, fields, module=__name__)


MarketRow = _row_struct("MarketRow", MARKET)
Candle = _row_struct("Candle", OHLC)


class DatasetStatus(msgspec.Struct, frozen=True):
    """Whether a dataset is there, how many rows it has and where it is."""

    available: bool
    records: int
    url: str | None
    revision: str | None
    newest_row: str | None


class Status(msgspec.Struct, frozen=True):
    """How the hub is, in brief."""

    status: str
    message: str
    market_dataset: DatasetStatus
    ohlc_dataset: DatasetStatus


class FileInfo(msgspec.Struct, frozen=True):
    """A file of a commit."""

    path: str
    size: int
    content_id: str


class ColumnInfo(msgspec.Struct, frozen=True):
    """A column of a dataset."""

    name: str
    type: str
    description: str


class GroupCoverage(msgspec.Struct, frozen=True):
    """What part of a dataset covers: an interval's candles, or all rows where there are no groups."""

    group: str | None
    series: int
    rows: int
    oldest: str | None
    newest: str | None


class DatasetInfo(msgspec.Struct, frozen=True):
    """Everything there is to know about a dataset at a commit."""

    name: str
    title: str
    repo: str
    url: str
    revision: str
    updated_at: str | None
    rows: int
    size: int
    key: list[str]
    columns: list[ColumnInfo]
    coverage: list[GroupCoverage]
    files: list[FileInfo]


class RevisionInfo(msgspec.Struct, frozen=True):
    """A commit of a dataset."""

    revision: str
    at: str | None
    title: str
    refs: list[str]


class Revisions(msgspec.Struct, frozen=True):
    """Commits of a dataset, newest first, and its branches and tags."""

    dataset: str
    repo: str
    commits: int
    refs: dict[str, str]
    revisions: list[RevisionInfo]
