"""Snapshots of datasets as tables for SQL: each dataset and each of its ledgers by name. Nothing is run here."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from api.engine.snapshot import Snapshot
from api.sandbox.snapshot import SqlSnapshot, SqlTable
from datahub_assets.domain.ledgers import parts_of

_REMEMBERED: Final = 16


class SqlTables:
    """Builds what SQL may read from commits, and keeps what was built lately."""

    def __init__(self) -> None:
        self._built: OrderedDict[str, SqlSnapshot] = OrderedDict()

    def of(self, snapshots: Sequence[Snapshot]) -> SqlSnapshot:
        """The tables of these commits. Files whose rows are mapped are read from there, the others from parquet."""
        key = _key(snapshots)
        built = self._built.get(key)
        if built is None:
            tables = {name: table for snapshot in snapshots for name, table in _tables(snapshot)}
            built = self._built[key] = SqlSnapshot(key, tables)
        self._built.move_to_end(key)
        while len(self._built) > _REMEMBERED:
            self._built.popitem(last=False)
        return built


def _key(snapshots: Sequence[Snapshot]) -> str:
    """Names commits and which of their files are mapped: together they say which local files are read."""
    mapped = bytes(file.is_open for snapshot in snapshots for file in snapshot.data)
    commits = ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)
    return f"{commits}#{hashlib.blake2b(mapped, digest_size=8).hexdigest()}"


def _tables(snapshot: Snapshot) -> Iterator[tuple[str, SqlTable]]:
    for part in parts_of(snapshot.spec):
        files = _rows_of(snapshot) if part.name == snapshot.spec.name else snapshot.tables.get(part.name, ())
        yield part.name, SqlTable(part.arrow_schema(), tuple(files))


def _rows_of(snapshot: Snapshot) -> Iterator[Path]:
    for file in snapshot.data:
        yield file.mapped if file.is_open else file.parquet
