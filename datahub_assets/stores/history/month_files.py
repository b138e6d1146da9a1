"""The new files of a group, of a month or longer, all open together; the rows of a series are spread over them."""

import hashlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import period_file
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.history import TimeRange
from datahub_assets.stores.history.base import period_starts
from datahub_assets.stores.hub.layout import FileWriter


class MonthFiles:
    """One file for each period of a time, in a folder on the disk. Use as a context manager.

    Rows of a longer period's file that are of another time stay in that file, which is written anew without the others.
    """

    def __init__(self, spec: DatasetSpec, *, group: str, span: TimeRange, folder: Path) -> None:
        self._spec = spec
        self._schema = spec.arrow_schema()
        self._folder = folder
        self._starts = period_starts(spec.period_of(group), span)
        self._paths = [period_file(spec, group, start) for start in self._starts]
        self._open = ExitStack()
        self._writers: dict[str, tuple[FileWriter, Path]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def add(self, rows: pl.DataFrame) -> list[str]:
        """The rows of the next series in this time, sorted by time; returns the paths they went to, one for each run.

        A path stands once for all rows it got.
        """
        if rows.is_empty():
            return []
        table = self._table(rows)
        bounds = np.searchsorted(self._times(rows), np.array([*self._starts[1:], np.iinfo(np.int64).max]))
        went = []
        first = 0
        for path, last in zip(self._paths, bounds.tolist(), strict=True):
            if last > first:
                self._writer(path).add(table.slice(first, last - first))
                went.append(path)
            first = last
        return went

    def keep(self, path: str, rows: pl.DataFrame) -> None:
        """Rows of another time, which stay in the file they are in."""
        self._writer(path).add(self._table(rows))

    def path_of(self, rows: pl.DataFrame) -> pl.Series:
        """For each row of this time the file it belongs in."""
        return pl.Series([self._paths[place] for place in self._places(rows).tolist()], dtype=pl.String)

    def paths_of(self, rows: pl.DataFrame) -> set[str]:
        """The files that rows of this time belong in."""
        return {self._paths[place] for place in np.flatnonzero(np.bincount(self._places(rows))).tolist()}

    def close(self) -> dict[str, tuple[HubFile, Path]]:
        """Complete the files; each with where it lies, by its path in the repo."""
        for writer, _ in self._writers.values():
            writer.close()
        self._open.close()
        return {path: (_described(path, file), file) for path, (_, file) in self._writers.items()}

    def _places(self, rows: pl.DataFrame) -> npt.NDArray[np.int64]:
        places: npt.NDArray[np.int64] = np.searchsorted(np.array(self._starts), self._times(rows), side="right") - 1
        return places

    def _times(self, rows: pl.DataFrame) -> npt.NDArray[np.int64]:
        return rows.select(self._spec.time_ms()).to_series().to_numpy()

    def _table(self, rows: pl.DataFrame) -> pa.Table:
        return rows.select(self._spec.column_names).to_arrow().cast(self._schema)

    def _writer(self, path: str) -> FileWriter:
        if path not in self._writers:
            target = self._folder / f"{len(self._writers)}.parquet"
            file: BinaryIO = self._open.enter_context(target.open("wb"))
            self._writers[path] = (self._open.enter_context(FileWriter(self._spec, file)), target)
        return self._writers[path][0]


def _described(path: str, file: Path) -> HubFile:
    with file.open("rb") as content:
        return HubFile(path, file.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())
