"""Snapshots of datasets as tables for SQL: each dataset by name, each kind of ledger as one table over all of them."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from api.engine.snapshot import Snapshot
from api.history.ledger_files import todays_file
from api.sql.sandbox.errors import SqlUnavailable
from api.sql.sandbox.snapshot import SqlSnapshot, SqlTable
from datahub_assets.datasets.ledgers import published_ledgers_of
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import LedgerSpec

_REMEMBERED: Final = 16


class SqlTables:
    """Builds what SQL may read from commits, and keeps what was built lately.

    Whether mapped rows are still on disk is seen when tables are built: build anew when a file turns out to be gone.
    """

    def __init__(self) -> None:
        self._built: OrderedDict[str, SqlSnapshot] = OrderedDict()

    async def of(self, snapshots: Sequence[Snapshot]) -> SqlSnapshot:
        """The tables of these commits. Files whose rows are mapped are read from there, the others from parquet.

        Raises:
            SqlUnavailable: a file is gone, or the disk refuses to be written.
        """
        key = _key(snapshots)
        built = self._built.get(key)
        if built is None:
            built = await asyncio.to_thread(_snapshot, snapshots)
        self._built[key] = built
        self._built.move_to_end(key)
        while len(self._built) > _REMEMBERED:
            self._built.popitem(last=False)
        return built


def _key(snapshots: Sequence[Snapshot]) -> str:
    """Names commits and which of their files are mapped, at the cost of a look at each in memory."""
    mapped = bytes(file.is_open for snapshot in snapshots for file in snapshot.data)
    return f"{_commits(snapshots)}#{mapped.hex()}"


def _commits(snapshots: Sequence[Snapshot]) -> str:
    return ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)


def _digest(tables: Mapping[str, SqlTable]) -> str:
    """Names the files the tables are read from."""
    paths = "\n".join(str(path) for table in tables.values() for path in table.files)
    return hashlib.blake2b(paths.encode(), digest_size=8).hexdigest()


def _snapshot(snapshots: Sequence[Snapshot]) -> SqlSnapshot:
    try:
        tables = _tables(snapshots)
    except OSError as error:
        raise SqlUnavailable(f"a file of the snapshot cannot be read: {error.strerror}") from error
    return SqlSnapshot(f"{_commits(snapshots)}#{_digest(tables)}", tables)


def _tables(snapshots: Sequence[Snapshot]) -> dict[str, SqlTable]:
    """Ledgers of a kind have one form whatever their dataset, and each line names that."""
    tables: dict[str, SqlTable] = {}
    for snapshot in snapshots:
        spec = snapshot.spec
        tables[spec.name] = SqlTable(spec.arrow_schema(), tuple(_rows_of(snapshot)))
        for ledger in published_ledgers_of(spec):
            before = tables.get(ledger.name, SqlTable(ledger.arrow_schema()))
            files = dict.fromkeys((*before.files, *_lines_of(snapshot, ledger)))
            tables[ledger.name] = SqlTable(before.schema, tuple(files))
    return tables


def _rows_of(snapshot: Snapshot) -> Iterator[Path]:
    """Files by their newest rows; a statement sees the same rows in the same order from either form of one."""
    for file in snapshot.data:
        if not file.index.as_mapped:
            file.open()
        yield file.mapped if file.is_open and file.mapped.exists() else file.parquet


def _lines_of(snapshot: Snapshot, ledger: LedgerSpec) -> Iterator[Path]:
    """The files of a ledger in today's form. One that never had it is read as far as it has the columns."""
    for path in snapshot.tables.get(ledger.name, ()):
        try:
            yield todays_file(ledger, path)
        except HubContentInvalid:
            yield path
