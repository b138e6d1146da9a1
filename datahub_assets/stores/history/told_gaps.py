"""What months of history mean for the ledger of gaps: which are filled now, and which were not known yet."""

from collections.abc import Collection, Mapping
from itertools import chain

import polars as pl

from datahub_assets.datasets.ledgers import GAPS, gap_line, gap_of, gaps_of, series_named, series_text
from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.domain import gaps
from datahub_assets.domain.gaps import GridGap, Run
from datahub_assets.domain.rows import frame_of, in_epoch_ms
from datahub_assets.stores.history.reports import Report


def lines(spec: DatasetSpec, ledger: pl.DataFrame, reports: Collection[Report], *, now_ms: int) -> pl.DataFrame:
    """The lines of the ledger that change by these months, given what it says so far."""
    kept = gaps_of(spec)
    if kept is None or spec.gaps is None:
        raise ValueError(f"{spec.name} keeps no gaps")
    there = rows_there(spec, reports)
    told = _by_series(spec, frame_of(kept, [line for one in reports for line in one.lines.get(GAPS, [])]))
    wanted = [series_text(spec, series) for series in there.keys() | told.keys()]
    known = _by_series(spec, ledger.filter(pl.col("healed_at").is_null(), pl.col("series").is_in(wanted)))
    changed = [
        gap_line(spec, series, gap)
        for series in there.keys() | told.keys()
        for gap in gaps.relearned(
            known.get(series, []),
            told.get(series, []),
            there.get(series, []),
            step_ms=spec.gaps.step(series),
            now_ms=now_ms,
        )
    ]
    return frame_of(kept, changed)


def rows_there(spec: DatasetSpec, reports: Collection[Report]) -> Mapping[Series, list[Run]]:
    """The rows that each series has now, in the months that were read."""
    found: dict[Series, list[Run]] = {}
    for series, runs in chain.from_iterable(one.there.items() for one in reports):
        found.setdefault(series_named(spec, series), []).extend(runs)
    return found


def _by_series(spec: DatasetSpec, ledger: pl.DataFrame) -> dict[Series, list[GridGap]]:
    found: dict[Series, list[GridGap]] = {}
    for line in in_epoch_ms(ledger).iter_rows(named=True):
        found.setdefault(series_named(spec, line["series"]), []).append(gap_of(spec, line))
    return found
