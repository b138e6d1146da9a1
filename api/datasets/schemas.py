"""The shapes of answers, for the documentation and for encoding what is not rows. What fills them is elsewhere."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from datahub_assets.datasets.registry import MARKET, OHLC, DatasetSpec, Kind

_TYPES = {
    Kind.TEXT: str | None,
    Kind.NUMBER: float | None,
    Kind.COUNT: int | None,
    Kind.FLAG: bool | None,
    Kind.TIME: str | None,
}


def _row_struct(name: str, spec: DatasetSpec) -> type[msgspec.Struct]:
    """A row of a dataset as JSON: `columns=` may leave any column out, `numbers=string` turns numbers into text."""
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


class RevisionAt(msgspec.Struct, frozen=True):
    """A commit and its time."""

    revision: str
    at: str | None


class DiffCounts(msgspec.Struct, frozen=True):
    """How many rows differ in which way; complete even where the rows are not."""

    added: int
    changed: int
    removed: int


class Change(msgspec.Struct, frozen=True):
    """A row whose values differ: as it was and as it is."""

    before: dict[str, Any]
    after: dict[str, Any]


class Diff(msgspec.Struct, frozen=True, rename={"earlier": "from", "later": "to"}):
    """What changed in a dataset between two commits."""

    dataset: str
    earlier: RevisionAt
    later: RevisionAt
    counts: DiffCounts
    truncated: bool
    """Whether rows were left out because of `limit`."""
    added: list[dict[str, Any]]
    changed: list[Change]
    removed: list[dict[str, Any]]


class ErrorKind(msgspec.Struct, frozen=True):
    """A kind of error: the code to match on, its status, what it means, and what to do about it."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str


class Restart(msgspec.Struct, frozen=True):
    """Says to one who follows a dataset that rows must be read anew at this commit: what changed is not known."""

    dataset: str
    revision: str
    reason: str


class Gap(msgspec.Struct, frozen=True):
    """Candles that should exist and do not (or did not, if healed)."""

    first_time: str
    last_time: str | None
    candles: int
    cause: str | None
    first_seen: str | None
    asked_at: str | None
    asks: int | None
    healed_at: str | None


class SeriesInfo(msgspec.Struct, frozen=True):
    """What a dataset holds of one series: a pair's candles of one interval, or a coin's prices.

    `expected` counts the candles that should be there, those of open gaps included; null for prices, which come when
    they come.
    """

    series: str
    interval: str | None
    rows: int
    expected: int | None
    forming: int
    oldest: str | None
    newest: str | None
    gaps: list[Gap]


class Coverage(msgspec.Struct, frozen=True):
    """What a dataset covers at a commit; `missing` counts candles of gaps that are not healed."""

    dataset: str
    revision: str
    missing: int
    series: list[SeriesInfo]
