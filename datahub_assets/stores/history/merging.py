"""How fetched rows of a month meet those its files have: by the merge of all rows, series by series."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from datahub_assets.datasets.ledgers import corrected_values
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.domain.history import Month, TimeRange
from datahub_assets.domain.rows import content_columns, in_epoch_ms, merge, overlay, supersede
from datahub_assets.stores.history.held_rows import PATH
from datahub_assets.stores.history.month_files import MonthFiles


class MonthMerge:
    """Merges a month, and counts what changes by it.

    Attributes:
        changed: paths of files whose rows are other ones than before.
        rows_added, rows_changed, first, newest, superseded, corrections: see `reports.Report`.
    """

    def __init__(
        self, spec: DatasetSpec, *, month: Month, span: TimeRange, files: MonthFiles, forming: pl.DataFrame
    ) -> None:
        self._spec = spec
        self._month = month
        self._span = span
        self._files = files
        self._forming = forming
        self.changed: set[str] = set()
        self.rows_added = 0
        self.rows_changed = 0
        self.first: int | None = None
        self.newest: int | None = None
        self.superseded: list[list[str | int]] = []
        self.corrections: list[dict[str, object]] = []

    def add(self, held: pl.DataFrame, fetched: pl.DataFrame | None) -> pl.DataFrame:
        """The rows of the next series: those that the files have, with their paths, and those that came; gives all.

        Raises:
            SourceMalformed: those that came are not of this month, not in order of time, or not final.
        """
        stored = self._kept_apart(held)
        rows = stored
        if fetched is not None and fetched.height:
            self._check(fetched)
            rows = self._merged(stored, fetched)
        self._files.add(rows)
        self.rows_added += rows.height - held.height
        if self._forming.height:
            key = list(self._spec.key)
            final = self._forming.join(rows, on=key, how="semi").select(key)
            self.superseded += [list(one) for one in in_epoch_ms(final).rows()]
        return rows

    def _kept_apart(self, held: pl.DataFrame) -> pl.DataFrame:
        """The held rows of the time that is written anew, in order; those of another time stay where they are."""
        if held.is_empty():
            return held.select(self._spec.column_names)
        is_inside = self._spec.time_ms().is_between(self._span.first_ms, self._span.last_ms)
        inside, outside = held.filter(is_inside), held.filter(~is_inside)
        for (path,), rows in outside.partition_by(PATH, as_dict=True, maintain_order=True).items():
            self._files.keep(str(path), rows)
        self.rows_added += outside.height
        homes = self._files.path_of(inside)
        moved = (inside[PATH] != homes).fill_null(value=True)
        self.changed |= {*inside[PATH].filter(moved), *homes.filter(moved)}
        rows = inside.select(self._spec.column_names)
        return rows if self._is_in_order(rows) else merge(self._spec, [rows])

    def _merged(self, stored: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
        spec = self._spec
        changes = self._changes(stored, fetched)
        if changes.is_empty():
            return stored
        self.rows_changed += changes.height
        self.changed |= self._files.paths_of(changes)
        self._note_times(changes)
        if stored.is_empty():
            return changes
        if spec.corrections is not None:
            lines = corrected_values(spec, before=stored.join(changes, on=list(spec.key), how="semi"), after=changes)
            self.corrections += in_epoch_ms(lines).to_dicts()
        return overlay(spec, stored=stored, changes=changes)

    def _changes(self, stored: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
        """As `supersede`, which sorts: few rows are on both sides, or they say the same."""
        if stored.is_empty():
            return fetched
        key, content = list(self._spec.key), content_columns(self._spec)
        known = fetched.join(stored, on=key, how="semi", maintain_order="left")
        fresh = fetched.join(stored, on=key, how="anti", maintain_order="left")
        same = stored.join(known, on=key, how="semi", maintain_order="left")
        if same.select(content).equals(known.select(content)):
            return fresh
        changed = supersede(self._spec, stored=same, incoming=known)
        return pl.concat([fresh, changed]).sort(list(self._spec.file_order))

    def _is_in_order(self, rows: pl.DataFrame) -> bool:
        """Whether these rows of a series are in order of time, each time once, and the time alone tells them apart."""
        times = rows.select(self._spec.time_ms()).to_series().to_numpy()
        return not self._spec.within_time and bool(np.all(np.diff(times) > 0))

    def _note_times(self, rows: pl.DataFrame) -> None:
        first, newest = rows.select(first=self._spec.time_ms().min(), newest=self._spec.time_ms().max()).row(0)
        self.first = first if self.first is None else min(self.first, first)
        self.newest = newest if self.newest is None else max(self.newest, newest)

    def _check(self, rows: pl.DataFrame) -> None:
        """See that what came is what a source promises: everything after this relies on it."""
        spec = self._spec
        times = rows.select(spec.time_ms()).to_series().to_numpy()  # sorted, if it is as promised
        named = _named(spec, rows)
        if times[0] < self._month.start_ms or times[-1] >= self._month.end_ms:
            raise SourceMalformed(f"rows of {named} are not all of {self._month}")
        if not spec.within_time and not self._is_in_order(rows):
            raise SourceMalformed(f"rows of {named} in {self._month} are not in order of time, each time once")
        if spec.final is not None and not rows[spec.final].all():
            raise SourceMalformed(f"rows of {named} in {self._month} are not all final")


def _named(spec: DatasetSpec, rows: pl.DataFrame) -> str:
    columns: Sequence[str] = spec.series_columns or spec.key[:1]
    return " ".join(str(rows[name][0]) for name in columns)
