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
    unit: str | None
    """Of its numbers."""
    example: str | float | bool | list[str] | None


class FilterInfo(msgspec.Struct, frozen=True):
    """A parameter that narrows the rows down: the column it means, and how it is given."""

    parameter: str
    column: str
    description: str
    example: list[str]
    many: bool
    """Whether several values may be given, comma-separated."""
    required: bool
    default: str | None


class LicenceInfo(msgspec.Struct, frozen=True):
    """The terms a dataset's rows are under."""

    id: str
    name: str
    url: str


class GroupCoverage(msgspec.Struct, frozen=True):
    """What part of a dataset covers: the rows of a group, or all rows where there are no groups."""

    group: str | None
    series: int | None
    """How many; null where rows form no series."""
    rows: int
    oldest: str | None
    newest: str | None


class DatasetInfo(msgspec.Struct, frozen=True):
    """Everything there is to know about a dataset at a commit."""

    name: str
    title: str
    summary: str
    provider: str
    source: str
    licence: LicenceInfo
    repo: str
    url: str
    revision: str
    updated_at: str | None
    rows: int
    size: int
    key: list[str]
    time: str
    """The column rows are ordered and selected by."""
    series: str | None
    group: str | None
    final: str | None
    """The column that says whether a row is final; null where rows are final as they come."""
    columns: list[ColumnInfo]
    filters: list[FilterInfo]
    coverage: list[GroupCoverage]
    files: list[FileInfo]
