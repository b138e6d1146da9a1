"""What each series should hold, for datasets with a rule of gaps, and the lines of their ledger of gaps."""
# ruff: noqa: S608 - names come from the ledgers and pass through `quoted`; every value is bound

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from datahub_assets.datasets.ledgers import GAPS, gap_line, gap_of, gap_places_of, gaps_of, series_named
from datahub_assets.datasets.spec import DatasetSpec, NumberGapRule, Series
from datahub_assets.domain import gaps
from datahub_assets.domain.gaps import Cause, CoverageChange, GridCoverage, GridGap
from datahub_assets.domain.rows import frame_of, in_epoch_ms
from datahub_assets.domain.sql_names import quoted
from datahub_assets.domain.tables import FETCHED
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table

Followed = Callable[[Series], bool]
"""Whether somebody still wants this series: of one taken out of the settings nothing more is expected."""
Changes = Mapping[Series, CoverageChange]


def every(_series: Series) -> bool:
    """All series are followed."""
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """A gap to ask upstream about: rows of `series` from `gap.first_time` to `gap.last_time`."""

    series: Series
    gap: GridGap


@dataclass(frozen=True, slots=True)
class SeriesGaps:
    """What the cache knows of the series of one dataset and of their gaps; nothing where it has no rule of gaps."""

    database: Database
    spec: DatasetSpec

    def coverages(self) -> dict[Series, GridCoverage]:
        """Coverage of every series that has a final row; none for a dataset without a rule of gaps."""
        if self.spec.gaps is None:
            return {}
        told: dict[str, list[GridGap]] = {}
        for row in self.database.rows(
            f"SELECT series, {self._first}, {self._last}, cause, first_seen, updated_at, asked_at, asks "
            f"FROM {self._table} WHERE dataset = ? AND healed_at IS NULL ORDER BY series, {self._first}",
            (self.spec.name,),
        ):
            gap = GridGap(
                row[1], row[2], Cause(row[3]), first_seen=row[4], updated_at=row[5], asked_at=row[6], asks=row[7]
            )
            told.setdefault(row[0], []).append(gap)
        open_gaps = {series_named(self.spec, name): tuple(found) for name, found in told.items()}
        rows = self.database.rows(
            "SELECT series, closed_first, closed_until FROM series WHERE dataset = ? AND closed_first IS NOT NULL",
            (self.spec.name,),
        )
        return {
            (series := tuple(json.loads(name))): GridCoverage(first, until, open_gaps.get(series, ()))
            for name, first, until in rows
        }

    def count_open(self) -> Counter[tuple[Series, str]]:
        """How many gaps are open, by series and cause."""
        rows = self.database.rows(
            f"SELECT series, cause, count(*) FROM {self._table} "
            "WHERE dataset = ? AND healed_at IS NULL GROUP BY series, cause",
            (self.spec.name,),
        )
        return Counter({(series_named(self.spec, name), cause): count for name, cause, count in rows})

    def note_rows(self, rows: pl.DataFrame, *, version: int) -> None:
        """Rows are stored now: gaps open and heal by the final ones."""
        if self.spec.gaps is None or self.spec.final is None:
            return
        final = rows.filter(pl.col(self.spec.final))
        if final.is_empty():
            return
        now_ms = final.select(pl.col(FETCHED).dt.epoch("ms").max()).item()
        known = self.coverages()
        changes = {}
        for *names, places in final.group_by(self.spec.series_columns).agg(self.spec.gap_places()).iter_rows():
            series = tuple(names)
            change = gaps.arrive(known.get(series), places, step_ms=self._step(series), now_ms=now_ms)
            if change is not None and change.coverage != known.get(series):
                changes[series] = change
        self._store(changes, version=version)

    def note_drained(self, *, followed: Followed, now_ms: int) -> None:
        """All that landed is stored: what is missing still is a gap, or in quarantine."""
        if self.spec.gaps is None:
            return
        with self.database.transaction():
            version = self.database.next_version()
            self._note_time(followed=followed, now_ms=now_ms, version=version)
            self._note_quarantined(now_ms=now_ms, version=version)

    def _note_time(self, *, followed: Followed, now_ms: int, version: int) -> None:
        """Rows of a followed series that should have come by now and did not are gaps. No number is."""
        if isinstance(self.spec.gaps, NumberGapRule):
            return
        changes = {}
        for series, coverage in self.coverages().items():
            if not followed(series):
                continue
            step_ms = self._step(series)
            until = gaps.expected_until(step_ms, now_ms=now_ms)
            if until > coverage.until:
                changes[series] = gaps.extend(coverage, until, step_ms=step_ms, now_ms=now_ms)
        self._store(changes, version=version)

    def _note_quarantined(self, *, now_ms: int, version: int) -> None:
        """Where a row is missing and a rejected one of its series and place is in quarantine, that is why.

        Unless upstream said since that it has none: then it took the bad one back.
        """
        waiting = self.database.rows(
            f"SELECT DISTINCT series FROM {self._table} WHERE dataset = ? AND healed_at IS NULL", (self.spec.name,)
        )
        series_of = {name: series_named(self.spec, name) for (name,) in waiting}
        wanted = [[name, " ".join(series), self._step(series)] for name, series in series_of.items()]
        # CROSS JOIN keeps SQLite from reading the whole quarantine: the gaps drive, the others answer by their keys.
        blamed = self.database.rows(
            f"SELECT DISTINCT g.series, q.at_ms FROM json_each(?) w CROSS JOIN {self._table} g CROSS JOIN quarantine q "
            "WHERE g.dataset = ? AND g.series = json_extract(w.value, '$[0]') AND g.healed_at IS NULL "
            "AND q.dataset = g.dataset AND q.subject = json_extract(w.value, '$[1]') "
            f"AND q.at_ms >= g.{self._first} AND q.at_ms < g.{self._last} + json_extract(w.value, '$[2]') "
            "AND (g.cause = ? OR (g.cause = ? AND q.last_seen >= g.asked_at))",
            (json.dumps(wanted), self.spec.name, Cause.NOT_FETCHED, Cause.EXCHANGE_HAD_NONE),
        )
        known = self.coverages() if blamed else {}
        for name, at_ms in blamed:
            series = series_of[name]
            if series in known:
                step_ms = self._step(series)
                change = gaps.quarantine(known[series], at_ms, step_ms=step_ms, now_ms=now_ms)
                known[series] = change.coverage
                self._store({series: change}, version=version)

    def to_ask(self, *, now_ms: int, limit: int = 20, followed: Followed = every) -> list[Question]:
        """Gaps of followed series it is time to ask upstream about, at most `limit`.

        Those never asked come first, then the longest not asked.
        """
        due = [
            Question(series, gap)
            for series, coverage in self.coverages().items()
            if followed(series)
            for gap in coverage.gaps
            if gap.due(now_ms=now_ms)
        ]
        due.sort(key=lambda question: (question.gap.asked_at or 0, question.series, question.gap.first_time))
        return due[:limit]

    def record_asked(self, question: Question, *, answered: bool, now_ms: int) -> None:
        """Upstream was asked about a gap; `answered`: it sent any row of it, good or bad."""
        with self.database.transaction():
            coverage = self.coverages().get(question.series)
            if coverage is not None:
                change = gaps.asked(coverage, question.gap, answered=answered, now_ms=now_ms)
                self._store({question.series: change}, version=self.database.next_version())

    def record_refused(self, question: Question, *, now_ms: int) -> None:
        """Upstream does not answer a question about a gap."""
        with self.database.transaction():
            coverage = self.coverages().get(question.series)
            if coverage is not None:
                change = gaps.refused(coverage, question.gap, now_ms=now_ms)
                self._store({question.series: change}, version=self.database.next_version())

    def heal(self, there: Mapping[Series, Sequence[gaps.Run]], *, now_ms: int) -> None:
        """Rows that never were in the cache are on the Hub: gaps that they fill are none any more."""
        known = self.coverages() if there else {}
        changes = {}
        for series, runs in there.items():
            if series not in known:
                continue
            step_ms, coverage = self._step(series), known[series]
            came = gaps.came_within(coverage.gaps, runs, step_ms=step_ms)
            left, lines = gaps.heal(coverage.gaps, came, step_ms=step_ms, now_ms=now_ms)
            changes[series] = CoverageChange(replace(coverage, gaps=left), lines)
        if any(change.lines for change in changes.values()):
            self._store(changes, version=self.database.next_version())

    def confirmed(self, lines: pl.DataFrame, *, version: int, now_ms: int) -> pl.DataFrame:
        """Of published lines those that still hold after the state was derived anew from rows.

        Healed ones do, unless the rows are missing again. Open ones do if the rows show the same gap, or if they lie
        beyond the last row: then the series' expectation reaches as far as they do. Where the rows show another gap, it
        is split, so that what was told of some of its rows stays said of those.
        """
        told = {series: [gap for _, gap in found] for series, found in self._numbered(lines).items()}
        self._reach(told)
        self.inform(told, version=version, now_ms=now_ms)
        known = self.coverages()
        kept = set[int]()
        for series, found in self._numbered(lines).items():
            ours = known[series].gaps if series in known else ()
            missing = {gap.first_time for gap in ours}
            kept |= {row for row, gap in found if gap in ours or (gap.healed_at and gap.first_time not in missing)}
        return lines.filter(pl.Series([row in kept for row in range(lines.height)], dtype=pl.Boolean))

    def inform(self, told: Mapping[Series, Sequence[GridGap]], *, version: int, now_ms: int) -> None:
        """Take over what others told of open gaps that we know no cause of."""
        known = self.coverages()
        changes = {
            series: change
            for series, found in told.items()
            if series in known
            for change in [
                gaps.informed(known[series], found, step_ms=self._step(series), now_ms=now_ms),
            ]
            if change.lines
        }
        self._store(changes, version=version)

    def _reach(self, told: Mapping[Series, Sequence[GridGap]]) -> None:
        """Expect of each series what somebody expected of it already, though no row is there: gaps at its end."""
        known = self.coverages()
        for series, found in told.items():
            if series not in known:
                continue
            coverage = known[series]
            late = [gap for gap in found if gap.healed_at is None and gap.first_time > coverage.until]
            if late:
                reached = GridCoverage(coverage.first, max(gap.last_time for gap in late))
                self._store({series: CoverageChange(reached, tuple(late))}, version=0)

    def _numbered(self, lines: pl.DataFrame) -> dict[Series, list[tuple[int, GridGap]]]:
        """Lines of the ledger as gaps by their series, each with the number of its row."""
        found: dict[Series, list[tuple[int, GridGap]]] = {}
        plain = in_epoch_ms(lines)
        for row, line in enumerate(plain.iter_rows(named=True)):
            found.setdefault(series_named(self.spec, line["series"]), []).append((row, gap_of(self.spec, line)))
        return found

    def before_our_rows(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Open lines that no row of the cache can confirm or refute any more."""
        known = self.coverages()
        older = [
            line["healed_at"] is None and (series not in known or line[self._last] < known[series].first)
            for line in lines.with_columns(pl.selectors.datetime().dt.epoch("ms")).iter_rows(named=True)
            for series in [series_named(self.spec, line["series"])]
        ]
        return lines.filter(pl.Series(older, dtype=pl.Boolean))

    def _store(self, changes: Changes, *, version: int) -> None:
        """Keep changed coverages, and their ledger lines for the next commit."""
        self.database.execute_many(
            "UPDATE series SET closed_first = ?, closed_until = ? WHERE dataset = ? AND series = ?",
            [
                (change.coverage.first, change.coverage.until, self.spec.name, json.dumps(list(series)))
                for series, change in changes.items()
            ],
        )
        told = [gap_line(self.spec, series, gap) for series, change in changes.items() for gap in change.lines]
        self._put(told, version=version)

    def put(self, told: list[dict[str, Any]]) -> None:
        """Write lines of the ledger, for the next commit."""
        with self.database.transaction():
            self._put(told, version=self.database.next_version())

    def _put(self, told: list[dict[str, Any]], *, version: int) -> None:
        ledger = gaps_of(self.spec)
        if ledger is not None and told:
            Table.of(self.database, ledger).put(frame_of(ledger, told), version=version)

    def _step(self, series: Series) -> int:
        """The length of a step of a series' grid."""
        if self.spec.gaps is None:
            raise ValueError(f"{self.spec.name} has no rule of gaps")
        return self.spec.gaps.step(series)

    @property
    def _table(self) -> str:
        """The table of the dataset's gaps."""
        ledger = gaps_of(self.spec)
        return quoted(GAPS if ledger is None else ledger.cache_table or ledger.name)

    @property
    def _first(self) -> str:
        """The column of a gap's first row."""
        return gap_places_of(self.spec)[0]

    @property
    def _last(self) -> str:
        """The column of a gap's last row."""
        return gap_places_of(self.spec)[1]
