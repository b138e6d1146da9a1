"""One parquet file of a commit, opened once per content: an index of its series, and its rows mapped from disk."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Where one series lies in a file: `rows` rows from `first` on; its time range (ms)."""

    first: int
    rows: int
    min_ms: int
    max_ms: int
    forming: int
    """Rows that are not known to be final; none where rows are final as they come."""


class FileIndex(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a file without opening its rows: where each series lies, in the order of their names.

    Where rows form no series, all of them lie in one span, whose name is "".
    """

    spans: dict[str, Span]
    as_mapped: bool
    """Whether the parquet file has the rows just as they are mapped: their order, and the types of their values."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(span.rows for span in self.spans.values())


@dataclass(frozen=True, slots=True)
class Runs:
    """The spans of a file as arrays, in the order of their names: rows [first, last) of each, and what `Span` says."""

    names: tuple[str, ...]
    numbers: Mapping[str, int]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    min_ms: npt.NDArray[np.int64]
    max_ms: npt.NDArray[np.int64]
    forming: npt.NDArray[np.int64]

    @classmethod
    def of(cls, spans: Mapping[str, Span]) -> "Runs":
        """The same spans."""
        told = [(span.first, span.first + span.rows, span.min_ms, span.max_ms, span.forming) for span in spans.values()]
        names = tuple(spans)
        numbers = {name: number for number, name in enumerate(names)}
        return cls(names, numbers, *np.array(told, dtype=np.int64).reshape(-1, 5).T.copy())


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's rows in the spec's order (`sort`), mapped from disk; `times` are their times (epoch ms)."""

    frame: pl.DataFrame
    times: npt.NDArray[np.int64]


class DataFile:
    """A file of a dataset by its content. Immutable; its rows are mapped when they are first asked for.

    Attributes:
        parquet: the file as it is on the Hub, named by its content.
        mapped: its rows, sorted, as an Arrow file; it exists while the rows are mapped, and may exist otherwise.
        mapped_rows: the rows while they are mapped, None otherwise.        used_at_s: when they were last asked for.
    """

    def __init__(
        self, *, parquet: Path, mapped: Path, group: str | None, index: FileIndex, read: Callable[[], Rows]
    ) -> None:
        self.parquet = parquet
        self.mapped = mapped
        self.group = group
        self.index = index
        self._read = read
        self._opening = threading.Lock()
        self.mapped_rows: Rows | None = None
        self.used_at_s = 0.0

    @property
    def content_id(self) -> str:
        """Names the content."""
        return self.parquet.name

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return self.index.rows

    @cached_property
    def min_ms(self) -> int:
        """Oldest time, epoch ms; 0 for an empty file."""
        return min((span.min_ms for span in self.index.spans.values()), default=0)

    @cached_property
    def max_ms(self) -> int:
        """Newest time, epoch ms; 0 for an empty file."""
        return max((span.max_ms for span in self.index.spans.values()), default=0)

    @cached_property
    def runs(self) -> Runs:
        """Where each series lies, for searches of many series."""
        return Runs.of(self.index.spans)

    @property
    def is_open(self) -> bool:
        """Whether the rows are mapped, so that asking for them costs nothing."""
        return self.mapped_rows is not None

    def open(self) -> Rows:
        """The rows; the first call reads the parquet, unless an earlier process left it mapped on disk."""
        self.used_at_s = time.time()
        rows = self.mapped_rows
        if rows is None:
            with self._opening:
                rows = self.mapped_rows
                if rows is None:
                    rows = self.mapped_rows = self._read()
        return rows

    def close(self) -> None:
        """Let the rows go; who holds them keeps them, and the next `open` maps them anew."""
        self.mapped_rows = None
