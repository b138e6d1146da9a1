"""Turns commits of a dataset into snapshots: fetches only contents that are not here, reads only files not seen yet."""

import weakref
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

from api.engine.datafile import DataFile
from api.engine.hub.blobs import BlobStore
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit, HubReader
from api.engine.parquet import FileReader
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.data_files import SUFFIX, is_foreign
from datahub_assets.domain.hub_files import HubFile

_DOWNLOADS_AT_ONCE: Final = 8


class SnapshotLoader:
    """Snapshots of one dataset's repo. Safe to share between threads."""

    def __init__(
        self,
        spec: DatasetSpec,
        *,
        repo_id: str,
        source: str,
        hub: HubReader,
        blobs: BlobStore,
        reader: FileReader,
        catalog: Catalog,
    ) -> None:
        self.spec = spec
        self.repo_id = repo_id
        self.source = source
        self._hub = hub
        self._blobs = blobs
        self._reader = reader
        self._catalog = catalog
        self._open: weakref.WeakValueDictionary[tuple[str, str | None], DataFile] = weakref.WeakValueDictionary()
        self._alive: weakref.WeakSet[Snapshot] = weakref.WeakSet()

    def snapshot(self, commit: HubCommit) -> Snapshot:
        """The snapshot of a commit.

        Raises:
            HubError: something it needs is neither here nor to be had from the Hub, or is not what it should be.
        """
        files = self._catalog.tree(self.source, commit.sha)
        if files is None:
            files = self._hub.tree(self.repo_id, commit.sha)
            self._catalog.add_tree(self.source, commit.sha, files)
        parquet = _parquet(self.spec, files)
        self._fetch(commit.sha, parquet)
        groups, tables = self._arrange(parquet)
        snapshot = Snapshot(
            spec=self.spec,
            repo_id=self.repo_id,
            commit=commit,
            files=files,
            groups=groups,
            tables=tables,
            blobs=frozenset(file.content_id for file in parquet),
        )
        self._alive.add(snapshot)
        return snapshot

    def is_here(self, commit: HubCommit) -> bool:
        """Whether all of a commit is on this machine, so that its snapshot can be had without the Hub."""
        files = self._catalog.tree(self.source, commit.sha)
        return files is not None and all(self._blobs.has(file) for file in _parquet(self.spec, files))

    def open_files(self) -> list[DataFile]:
        """All files whose rows are mapped now."""
        return [file for file in list(self._open.values()) if file.is_open]

    def needed_blobs(self) -> set[str]:
        """Contents that some snapshot in use still needs."""
        return set().union(*(snapshot.blobs for snapshot in list(self._alive)))

    def needed_mapped(self) -> set[Path]:
        """Arrow files that some snapshot in use still needs; one of another form, of an earlier version, is none."""
        return {file.mapped for snapshot in list(self._alive) for file in snapshot.data}

    def _fetch(self, sha: str, files: Sequence[HubFile]) -> None:
        wanted = {file.content_id: file for file in files if not self._blobs.has(file)}

        def fetch(file: HubFile) -> None:
            self._blobs.fetch(file, lambda remote, target: self._hub.download(self.repo_id, sha, remote, target))

        if len(wanted) == 1:
            fetch(*wanted.values())
        elif wanted:
            with ThreadPoolExecutor(min(_DOWNLOADS_AT_ONCE, len(wanted)), thread_name_prefix="download") as pool:
                for _ in pool.map(fetch, wanted.values()):
                    pass

    def _arrange(
        self, files: Sequence[HubFile]
    ) -> tuple[dict[str | None, tuple[DataFile, ...]], dict[str, tuple[Path, ...]]]:
        """Files by group, newest rows first, and paths by SQL table."""
        groups: defaultdict[str | None, list[DataFile]] = defaultdict(list)
        tables: defaultdict[str, list[Path]] = defaultdict(list)
        tables[self.spec.name] = []
        for file in files:
            folder, *rest = PurePosixPath(file.path).parts
            path = self._blobs.path(file.content_id)
            if folder != "data":
                tables[folder].append(path)
                continue
            group = rest[0] if self.spec.group is not None and len(rest) > 1 else None
            tables[self.spec.name].append(path)
            groups[group].append(self._data_file(file, group=group, path=path))
        ordered = {
            group: tuple(sorted(members, key=lambda member: member.max_ms, reverse=True))
            for group, members in groups.items()
        }
        return ordered, {table: tuple(paths) for table, paths in tables.items()}

    def _data_file(self, file: HubFile, *, group: str | None, path: Path) -> DataFile:
        key = (file.content_id, group)
        known = self._open.get(key)
        if known is None:
            known = self._open[key] = DataFile(
                parquet=path,
                mapped=self._reader.mapped_path(path),
                group=group,
                index=self._reader.index(path, group=group),
                read=lambda: self._reader.rows(path),
            )
        return known


def _parquet(spec: DatasetSpec, files: Sequence[HubFile]) -> list[HubFile]:
    """The files rows are read from, by path. Somebody's copy of one is none of them: each key would be there twice."""
    ours = (file for file in files if file.path.endswith(SUFFIX) and not is_foreign(spec, file.path))
    return sorted(ours, key=lambda file: file.path)
