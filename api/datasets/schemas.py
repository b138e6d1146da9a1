"""The shapes of dataset information."""

import msgspec


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
