"""What a snapshot covers, series by series, from the files' indexes; and the gaps its ledger tells of."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from api.engine.snapshot import Snapshot
from api.history.ledger_files import ledger_lines
from api.http.disconnects import stop_if_left
from datahub_assets.datasets.ledgers import gaps_of, series_text
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.ledgers import DATASET

_KEY = "coverage"


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
    has_series = snapshot.spec.series is not None
    spans = defaultdict(list)
    for group, files in snapshot.groups.items():
        for file in files:
            stop_if_left()
            for name, span in file.index.spans.items():
                spans[group, name if has_series else None].append(span)
    found = [
        SeriesCoverage(
            group=group,
            series=name,
            rows=sum(span.rows for span in parts),
            forming=sum(span.forming for span in parts),
            oldest_ms=min(span.min_ms for span in parts),
            newest_ms=max(span.max_ms for span in parts),
        )
        for (group, name), parts in spans.items()
    ]
    return tuple(sorted(found, key=lambda one: (str(one.group), str(one.series))))
