"""Snapshots of files that tests write: what the API serves of a commit, without a Hub."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from api.engine.datafile import DataFile
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit
from api.engine.parquet import FileReader, connect
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.spec import DatasetSpec

Files = Iterable[tuple[str | None, pl.DataFrame]]
"""The rows of each file, and the group it is of."""


class Shelf:
    """A folder in which rows become files, and files snapshots."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._catalog, self._connection = Catalog(root / "catalog.sqlite3"), connect(root)
        self._numbers = itertools.count()

    def close(self) -> None:
        self._connection.close()
        self._catalog.close()

    def file(self, spec: DatasetSpec, rows: pl.DataFrame, *, group: str | None = None) -> DataFile:
        """Rows as a file of a commit, in whatever order they come."""
        reader = FileReader(spec, connection=self._connection, catalog=self._catalog, mapped=self._root / "mapped")
        fresh = self._root / f"{next(self._numbers)}.parquet"
        rows.write_parquet(fresh)
        path = fresh.rename(self._root / hashlib.sha256(fresh.read_bytes()).hexdigest())
        return DataFile(
            parquet=path,
            mapped=reader.mapped_path(path),
            group=group,
            index=reader.index(path, group=group),
            read=lambda: reader.rows(path),
        )

    def snapshot(self, spec: DatasetSpec, files: Files) -> Snapshot:
        """A commit of such files."""
        return snapshot_of(spec, [self.file(spec, rows, group=group) for group, rows in files])


@contextmanager
def shelf(root: Path) -> Iterator[Shelf]:
    """A shelf in this folder."""
    made = Shelf(root)
    try:
        yield made
    finally:
        made.close()


def snapshot_of(spec: DatasetSpec, files: Iterable[DataFile]) -> Snapshot:
    """A commit that holds these files."""
    groups: dict[str | None, list[DataFile]] = {}
    for file in sorted(files, key=lambda file: file.max_ms, reverse=True):
        groups.setdefault(file.group, []).append(file)
    ordered = {group: tuple(members) for group, members in groups.items()}
    return Snapshot(spec, "local/repo", HubCommit("0" * 40, 0, ""), (), ordered, {}, frozenset())
