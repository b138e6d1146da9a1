"""Two datasets of installed packages, as their specs say, and snapshots of any dataset without a Hub.

The packages stay off the path: whoever reads the registry in this process must not find them.
"""

import hashlib
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from api.engine.datafile import DataFile
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit
from api.engine.parquet import FileReader, connect
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import frame_of
from tests.api.workers import NOW_MS

_FOLDER: Final = str(Path(__file__).parents[1] / "datasets" / "installed")


def _installed(package: str) -> DatasetSpec:
    sys.path.insert(0, _FOLDER)
    try:
        return cast("DatasetSpec", import_module(f"{package}.spec").SPEC)
    finally:
        sys.path.remove(_FOLDER)


INCIDENTS: Final = _installed("field_incidents")
"""A text is the key, many rows have one time, they form no series, and a column holds lists."""
RECEIPTS: Final = _installed("field_receipts")
"""Two registers of growing numbers; the time is not of the key, rows become final, corrections are kept."""
ALL: Final = (*DATASETS.values(), INCIDENTS, RECEIPTS)


def incidents(count: int, **changed: Any) -> pl.DataFrame:
    """Incidents of one time; every third is major, and hit the wallet besides the API."""
    rows = [
        {
            "incident_id": f"inc-{number:06d}",
            "timestamp": NOW_MS,
            "headline": f"Delay {number}",
            "severity": "minor" if number % 3 else "major",
            "services": ["api"] if number % 3 else ["wallet", "api"],
            "affected": number,
            "provider": "statuspage",
            "ingested_at": NOW_MS,
            **changed,
        }
        for number in range(count)
    ]
    return frame_of(INCIDENTS, rows)


def receipts(register: str, count: int, **changed: Any) -> pl.DataFrame:
    """Receipts of a register, a second apart; the last one is not settled."""
    rows = [
        {
            "register": register,
            "number": 100_000 + number,
            "stamped_at": NOW_MS + number * 1000,
            "amount": number / 4,
            "settled": number < count - 1,
            "provider": "register",
            "ingested_at": NOW_MS,
            **changed,
        }
        for number in range(count)
    ]
    return frame_of(RECEIPTS, rows)


class SnapshotMaker:
    """Makes snapshots of rows in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._catalog, self._connection = Catalog(root / "catalog.sqlite3"), connect(root)

    def close(self) -> None:
        self._connection.close()
        self._catalog.close()

    def snapshot(
        self,
        spec: DatasetSpec,
        *frames: pl.DataFrame,
        group: str | None = None,
        ledgers: Mapping[str, pl.DataFrame] | None = None,
        sha: str = "a" * 40,
    ) -> Snapshot:
        """A commit of these rows, a file for each frame, and of these ledgers by name."""
        reader = FileReader(spec, connection=self._connection, catalog=self._catalog, mapped=self._root / "mapped")
        files = [self._data_file(reader, frame, group) for frame in frames]
        tables = {name: (self.file(lines),) for name, lines in (ledgers or {}).items()}
        commit = HubCommit(sha, NOW_MS, "")
        return Snapshot(spec, f"local/{spec.repo_name}", commit, (), {group: tuple(files)}, tables, frozenset())

    def file(self, rows: pl.DataFrame) -> Path:
        """Rows as a parquet file, named by its content."""
        fresh = self._root / "fresh.parquet"
        rows.write_parquet(fresh)
        return fresh.rename(self._root / hashlib.sha256(fresh.read_bytes()).hexdigest())

    def _data_file(self, reader: FileReader, rows: pl.DataFrame, group: str | None) -> DataFile:
        path = self.file(rows)
        index = reader.index(path, group=group)
        return DataFile(
            parquet=path, mapped=reader.mapped_path(path), group=group, index=index, read=lambda: reader.rows(path)
        )
