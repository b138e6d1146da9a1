"""Snapshots of any dataset without a Hub: what the API serves of files that tests write."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from api.engine.datafile import DataFile
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit
from api.engine.parquet import FileReader, connect
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.spec import DatasetSpec
from tests.api.workers import NOW_MS


class SnapshotMaker:
    """Makes files and snapshots of rows in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._catalog, self._connection = Catalog(root / "catalog.sqlite3"), connect(root)
        self._numbers = itertools.count()

    def close(self) -> None:
        self._connection.close()
        self._catalog.close()

    def file(self, rows: pl.DataFrame) -> Path:
        """Rows as a parquet file, named by its content."""
        fresh = self._root / f"{next(self._numbers)}.parquet"
        rows.write_parquet(fresh)
        return fresh.rename(self._root / hashlib.sha256(fresh.read_bytes()).hexdigest())

    def data_file(self, spec: DatasetSpec, rows: pl.DataFrame, *, group: str | None = None) -> DataFile:
        """Rows as a file of a commit, in whatever order they come."""
        reader = FileReader(spec, connection=self._connection, catalog=self._catalog, mapped=self._root / "mapped")
        path = self.file(rows)
        index = reader.index(path, group=group)
        return DataFile(
            parquet=path, mapped=reader.mapped_path(path), group=group, index=index, read=lambda: reader.rows(path)
        )

    def snapshot(
        self,
        spec: DatasetSpec,
        *frames: pl.DataFrame,
        group: str | None = None,
        ledgers: Mapping[str, pl.DataFrame] | None = None,
        sha: str = "a" * 40,
    ) -> Snapshot:
        """A commit of these rows, a file for each frame, and of these ledgers by name."""
        files = [self.data_file(spec, frame, group=group) for frame in frames]
        return snapshot_of(
            spec, files, tables={name: (self.file(lines),) for name, lines in (ledgers or {}).items()}, sha=sha
        )


def snapshot_of(
    spec: DatasetSpec,
    files: Iterable[DataFile],
    *,
    tables: Mapping[str, tuple[Path, ...]] | None = None,
    sha: str = "a" * 40,
) -> Snapshot:
    """A commit that holds these files, of whatever groups they are."""
    groups: dict[str | None, tuple[DataFile, ...]] = {}
    for file in sorted(files, key=lambda file: file.max_ms, reverse=True):
        groups[file.group] = (*groups.get(file.group, ()), file)
    commit = HubCommit(sha, NOW_MS, "")
    return Snapshot(spec, f"local/{spec.repo_name}", commit, (), groups, tables or {}, frozenset())


@contextmanager
def making(root: Path) -> Iterator[SnapshotMaker]:
    """A maker that is closed in the end."""
    maker = SnapshotMaker(root)
    try:
        yield maker
    finally:
        maker.close()
