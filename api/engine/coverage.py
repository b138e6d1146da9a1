"""What a snapshot covers, series by series, from the files' indexes; and the gaps its ledger tells of."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from api.engine.snapshot import Snapshot
from datahub_assets.datasets.candles.ledgers import GAPS

_TABLE: Final = GAPS.name


@dataclass(slots=True)
class SeriesCoverage:
    """One series: its group and name, how many rows, how many of them still forming, oldest and newest time (ms)."""

    group: str | None
    series: str
    rows: int
    forming: int
    oldest_ms: int
    newest_ms: int


def series_coverage(snapshot: Snapshot) -> tuple[SeriesCoverage, ...]:
    """All series, by group and name; computed once per snapshot."""
    known = snapshot.memory.get("coverage")
    if isinstance(known, tuple):
        return known
    found = snapshot.memory["coverage"] = _series_coverage(snapshot)
    return found


def gaps(snapshot: Snapshot) -> pl.DataFrame:
    """The gap ledger of the commit, in the ledger's schema; no rows where the dataset keeps none."""
    paths = snapshot.tables.get(_TABLE, ())
    empty = pl.DataFrame(schema=GAPS.polars_schema())
    read = [pl.read_parquet(path, columns=list(GAPS.column_names)).cast(dict(empty.schema)) for path in paths]  # type: ignore[arg-type]
    return pl.concat([empty, *read])


def _series_coverage(snapshot: Snapshot) -> tuple[SeriesCoverage, ...]:
    found: dict[tuple[str | None, str], SeriesCoverage] = {}
    for group, files in snapshot.groups.items():
        for file in files:
            for name, span in file.index.spans.items():
                one = found.get((group, name))
                if one is None:
                    one = SeriesCoverage(group, name, 0, 0, span.min_ms, span.max_ms)
                    found[group, name] = one
                one.rows += span.rows
                one.forming += span.forming
                one.oldest_ms = min(one.oldest_ms, span.min_ms)
                one.newest_ms = max(one.newest_ms, span.max_ms)
    return tuple(sorted(found.values(), key=lambda one: (str(one.group), one.series)))
