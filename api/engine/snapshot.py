"""A commit of a dataset on this machine's disk: immutable, and all that answers are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from api.engine.datafile import DataFile
from api.engine.hub.reader import HubCommit
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.hub_files import HubFile


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One commit of one dataset.

    Attributes:
        files: all files of the commit.
        groups: the rows' files by value of the spec's group column (None when it has none), newest rows first.
        tables: parquet files by SQL table: the dataset's own name, and each other config of its repo (`gaps`, …).
        blobs: ids of all contents the snapshot needs on disk.
    """

    spec: DatasetSpec
    repo_id: str
    commit: HubCommit
    files: tuple[HubFile, ...]
    groups: Mapping[str | None, tuple[DataFile, ...]]
    tables: Mapping[str, tuple[Path, ...]]
    blobs: frozenset[str]
    memory: dict[object, object] = field(default_factory=dict)
    """Small results computed once from this snapshot."""

    @cached_property
    def sha(self) -> str:
        """The commit's sha."""
        return self.commit.sha

    @cached_property
    def data(self) -> tuple[DataFile, ...]:
        """All files that hold rows of the dataset."""
        return tuple(file for files in self.groups.values() for file in files)

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.data)

    @cached_property
    def newest_ms(self) -> int | None:
        """Time of the newest row (epoch ms), None without rows."""
        return max((file.max_ms for file in self.data if file.rows), default=None)

    @cached_property
    def oldest_ms(self) -> int | None:
        """Time of the oldest row (epoch ms), None without rows."""
        return min((file.min_ms for file in self.data if file.rows), default=None)

    @cached_property
    def series(self) -> Mapping[str | None, frozenset[str]]:
        """Names of all series by group; the name "" where rows form none."""
        return {group: frozenset().union(*(file.index.spans for file in files)) for group, files in self.groups.items()}

    def prepare(self) -> None:
        """Compute what requests ask for most, before the first of them does."""
        _ = self.rows, self.newest_ms, self.oldest_ms, self.series

    @property
    def size(self) -> int:
        """Bytes of all files of the commit."""
        return sum(file.size for file in self.files)


def dataset_url(repo_id: str, *, endpoint: str) -> str:
    """Where the page of a dataset is on the Hub."""
    return f"{endpoint}/datasets/{repo_id}"
