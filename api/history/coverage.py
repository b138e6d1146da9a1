"""What a snapshot covers, series by series, from the files' indexes; and the gaps its ledger tells of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from api.engine.datafile import DataFile
from api.engine.snapshot import Snapshot
from api.history.ledger_files import ledger_lines
from api.http.disconnects import stop_if_left
from datahub_assets.datasets.ledgers import gaps_of, series_text
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.ledgers import DATASET

_KEY: Final = "coverage"
_NEVER_MS: Final = 1 << 62


@dataclass(slots=True)
class SeriesCoverage:
    """One series: its group and name, how many rows, how many of them not final, oldest and newest time (ms).

    `series` is None for all rows of a dataset whose rows form no series.
    """

    group: str | None
    series: str | None
    rows: int
    forming: int
    oldest_ms: int
    newest_ms: int

    def named(self, spec: DatasetSpec) -> str | None:
        """The series as ledgers name it; None where rows form none."""
        values = {spec.series: self.series, spec.group: self.group}
        named = tuple(values[name] or "" for name in spec.series_columns)
        return series_text(spec, named) if named else None


def series_coverage(snapshot: Snapshot) -> tuple[SeriesCoverage, ...]:
    """All series, by group and name; computed once per snapshot."""
    known = snapshot.memory.get(_KEY)
    if isinstance(known, tuple):
        return known
    found = snapshot.memory[_KEY] = _series_coverage(snapshot)
    return found


def gaps(snapshot: Snapshot) -> Mapping[str, pl.DataFrame]:
    """The lines of the commit's ledger of gaps by the series they name; none where the dataset keeps none.

    Raises:
        HubContentInvalid: the ledger on the Hub is none.
    """
    ledger = gaps_of(snapshot.spec)
    if ledger is None:
        return {}
    lines = ledger_lines(ledger, snapshot.tables.get(ledger.name, ()))
    own = lines.filter(pl.col(DATASET) == snapshot.spec.name)
    return {str(name): part for (name,), part in own.partition_by("series", as_dict=True).items()}


def _series_coverage(snapshot: Snapshot) -> tuple[SeriesCoverage, ...]:
    found = [one for group, files in snapshot.groups.items() for one in _coverage_of_group(snapshot.spec, group, files)]
    return tuple(sorted(found, key=lambda one: (str(one.group), str(one.series))))


def _coverage_of_group(spec: DatasetSpec, group: str | None, files: Sequence[DataFile]) -> Iterator[SeriesCoverage]:
    numbers: dict[str, int] = {}
    places: list[int] = []
    for file in files:
        stop_if_left()
        places += [numbers.setdefault(name, len(numbers)) for name in file.runs.names]
    told = np.array([(0, 0, _NEVER_MS, -_NEVER_MS)] * len(numbers), dtype=np.int64).reshape(-1, 4)
    for column, combine, values in (
        (0, np.add, [file.runs.last - file.runs.first for file in files]),
        (1, np.add, [file.runs.forming for file in files]),
        (2, np.minimum, [file.runs.min_ms for file in files]),
        (3, np.maximum, [file.runs.max_ms for file in files]),
    ):
        combine.at(told[:, column], np.array(places, dtype=np.int64), np.concatenate(values))
    for name, (rows, forming, oldest_ms, newest_ms) in zip(numbers, told.tolist(), strict=True):
        yield SeriesCoverage(group, None if spec.series is None else name, rows, forming, oldest_ms, newest_ms)
