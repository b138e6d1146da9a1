"""The state of each series in the cache: its first and last row and, for candles, its coverage and its gaps.

It outlives pruning, so that an old row leaving the cache never makes the source fetch it again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from datahub_assets.datasets.candles import gaps
from datahub_assets.datasets.candles.gaps import CandleCoverage, CandleGap, Cause, CoverageChange
from datahub_assets.datasets.candles.intervals import Interval, interval
from datahub_assets.datasets.candles.ledgers import GAPS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import DAY_MS
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table

Series = tuple[str, ...]
Followed = Callable[[Series], bool]
"""Whether somebody still wants this series: of one taken out of the settings nothing more is expected."""


@dataclass(frozen=True, slots=True)
class Question:
    """A gap to ask the exchange about: candles of `series` from `gap.first_time` to `gap.last_time`."""

    series: Series
    gap: CandleGap


def create(database: Database) -> None:
    """Make the table unless it is there."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS series (dataset TEXT NOT NULL, series TEXT NOT NULL, first_time INTEGER NOT NULL, "
        "last_time INTEGER, closed_first INTEGER, closed_until INTEGER, PRIMARY KEY (dataset, series)) "
        "STRICT, WITHOUT ROWID"
    )


def last_times(database: Database, spec: DatasetSpec) -> dict[Series, int]:
    """Timestamp (epoch ms) of the last row ever stored, per series."""
    rows = database.rows(
        "SELECT series, last_time FROM series WHERE dataset = ? AND last_time IS NOT NULL", (spec.name,)
    )
    return {tuple(json.loads(series)): last for series, last in rows}


def restart(database: Database, spec: DatasetSpec, *, version: int) -> None:
    """Derive the state anew from the rows in the cache, and have the source fill the history as at first.

    What the ledger of gaps says of them stays said, and waits for the repo that is to come: healed lines, when an open
    gap was seen and what was asked about it, and open gaps of a time before the rows that are left.
    """
    lines = Table.of(GAPS).read(database) if spec.has_forming_rows else None
    database.execute("DELETE FROM series WHERE dataset = ?", (spec.name,))
    if spec.has_forming_rows:
        database.execute("DELETE FROM gaps")
    note_rows(database, spec, Table.of(spec).read(database), version=version)
    if lines is not None:
        kept = pl.concat([confirmed(database, spec, lines), _before_our_rows(database, spec, lines)])
        Table.of(GAPS).put(database, kept, version=version)
    database.execute("UPDATE series SET last_time = NULL WHERE dataset = ?", (spec.name,))


def _before_our_rows(database: Database, spec: DatasetSpec, lines: pl.DataFrame) -> pl.DataFrame:
    """Open gap lines that no row of the cache can confirm or refute any more."""
    known = coverages(database, spec)
    older = [
        line["healed_at"] is None and (series not in known or line["last_time"] < known[series].first)
        for line in lines.with_columns(pl.col("last_time").dt.epoch("ms")).iter_rows(named=True)
        for series in [tuple(line[name] for name in spec.series_columns)]
    ]
    return lines.filter(pl.Series(older, dtype=pl.Boolean))


def note_rows(database: Database, spec: DatasetSpec, rows: pl.DataFrame, *, version: int) -> None:
    """Record rows that are stored now: how far series reach, which candles came, which gaps opened or healed."""
    if rows.is_empty():
        return
    moment = pl.col("timestamp").dt.epoch("ms")
    reach = rows.group_by(spec.series_columns).agg(moment.min().alias("first"), moment.max().alias("last"))
    database.execute_many(
        "INSERT INTO series (dataset, series, first_time, last_time) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (dataset, series) DO UPDATE SET first_time = min(first_time, excluded.first_time), "
        "last_time = max(coalesce(last_time, excluded.last_time), excluded.last_time)",
        [(spec.name, _text(row[:-2]), row[-2], row[-1]) for row in reach.rows()],
    )
    if spec.has_forming_rows:
        _note_closed(database, spec, rows.filter(pl.col("closed")), version=version)


def coverages(database: Database, spec: DatasetSpec) -> dict[Series, CandleCoverage]:
    """Coverage of every series that has a closed candle."""
    open_gaps: dict[Series, list[CandleGap]] = {}
    for row in database.rows(
        "SELECT symbol, interval, first_time, last_time, cause, first_seen, updated_at, asked_at, asks FROM gaps "
        "WHERE healed_at IS NULL ORDER BY symbol, interval, first_time"
    ):
        gap = CandleGap(
            row[2], row[3], Cause(row[4]), first_seen=row[5], updated_at=row[6], asked_at=row[7], asks=row[8]
        )
        open_gaps.setdefault((row[0], row[1]), []).append(gap)
    rows = database.rows(
        "SELECT series, closed_first, closed_until FROM series WHERE dataset = ? AND closed_first IS NOT NULL",
        (spec.name,),
    )
    return {
        (series := tuple(json.loads(text))): CandleCoverage(first, until, tuple(open_gaps.get(series, ())))
        for text, first, until in rows
    }


def _note_closed(database: Database, spec: DatasetSpec, closed: pl.DataFrame, *, version: int) -> None:
    if closed.is_empty():
        return
    now_ms = closed.select(pl.col("ingested_at").dt.epoch("ms").max()).item()
    known = coverages(database, spec)
    changes = {}
    for *names, times in closed.group_by(spec.series_columns).agg(pl.col("timestamp").dt.epoch("ms")).iter_rows():
        series = tuple(names)
        change = gaps.arrive(known.get(series), times, interval=_interval(spec, series), now_ms=now_ms)
        if change is not None and change.coverage != known.get(series):
            changes[series] = change
    store(database, spec, changes, version=version)


def note_time(database: Database, spec: DatasetSpec, *, followed: Followed, now_ms: int, version: int) -> None:
    """Time passed: candles of a followed series that should have come by now and did not are gaps."""
    changes = {}
    for series, coverage in coverages(database, spec).items():
        if not followed(series):
            continue
        step = _interval(spec, series)
        until = gaps.expected_until(step, now_ms=now_ms)
        if until > coverage.until:
            changes[series] = gaps.extend(coverage, until, interval=step, now_ms=now_ms)
    store(database, spec, changes, version=version)


def note_quarantined(database: Database, spec: DatasetSpec, *, now_ms: int, version: int) -> None:
    """Where a candle is missing and a rejected one of its time is in quarantine, that is why.

    Unless the exchange said since that it has none: then it took the bad one back.
    """
    blamed = database.rows(
        "SELECT DISTINCT g.symbol, g.interval, q.open_time FROM gaps g JOIN quarantine q "
        "ON q.dataset = ? AND q.subject = g.symbol || ' ' || g.interval "
        "AND q.open_time BETWEEN g.first_time AND g.last_time + ? WHERE g.healed_at IS NULL "
        "AND (g.cause = ? OR (g.cause = ? AND q.last_seen > g.asked_at))",
        (spec.name, DAY_MS, Cause.NOT_FETCHED, Cause.EXCHANGE_HAD_NONE),
    )
    known = coverages(database, spec) if blamed else {}
    for symbol, name, open_time in blamed:
        series = (symbol, name)
        change = gaps.quarantine(known[series], open_time, interval=interval(name), now_ms=now_ms)
        known[series] = change.coverage
        store(database, spec, {series: change}, version=version)


def to_ask(database: Database, spec: DatasetSpec, *, followed: Followed, now_ms: int, limit: int) -> list[Question]:
    """Gaps it is time to ask the exchange about, those never asked first, then the longest not asked."""
    due = [
        Question(series, gap)
        for series, coverage in coverages(database, spec).items()
        if followed(series)
        for gap in coverage.gaps
        if gap.due(now_ms=now_ms)
    ]
    return sorted(due, key=lambda question: (question.gap.asked_at or 0, question.series, question.gap.first_time))[
        :limit
    ]


def note_asked(
    database: Database, spec: DatasetSpec, question: Question, *, answered: bool, now_ms: int, version: int
) -> None:
    """The exchange was asked about a gap."""
    coverage = coverages(database, spec).get(question.series)
    if coverage is not None:
        change = gaps.asked(coverage, question.gap, answered=answered, now_ms=now_ms)
        store(database, spec, {question.series: change}, version=version)


def note_refused(database: Database, spec: DatasetSpec, question: Question, *, now_ms: int, version: int) -> None:
    """The exchange does not answer a question about a gap."""
    coverage = coverages(database, spec).get(question.series)
    if coverage is not None:
        change = gaps.refused(coverage, question.gap, now_ms=now_ms)
        store(database, spec, {question.series: change}, version=version)


def confirmed(database: Database, spec: DatasetSpec, lines: pl.DataFrame) -> pl.DataFrame:
    """Of published gap lines those that still hold after the state was derived anew from rows.

    Healed ones do, unless the candles are missing again. Open ones do if the rows show the same gap, or if they lie
    beyond the last row: then the series' expectation reaches as far as they do.
    """
    known = coverages(database, spec)
    kept = []
    for line in lines.with_columns(pl.col("first_time", "last_time").dt.epoch("ms")).iter_rows(named=True):
        coverage = known.get(tuple(line[name] for name in spec.series_columns))
        found = next((g for g in coverage.gaps if g.first_time == line["first_time"]), None) if coverage else None
        if line["healed_at"] is not None:
            kept.append(found is None)
        elif coverage is not None and line["first_time"] > coverage.until:
            reached = CandleCoverage(coverage.first, line["last_time"])
            store(database, spec, {tuple(line[n] for n in spec.series_columns): CoverageChange(reached)}, version=0)
            kept.append(True)
        else:
            kept.append(found is not None and found.last_time == line["last_time"])
    return lines.filter(pl.Series(kept, dtype=pl.Boolean))


def store(database: Database, spec: DatasetSpec, changes: Mapping[Series, CoverageChange], *, version: int) -> None:
    """Keep changed coverages, and their ledger lines for the next commit."""
    database.execute_many(
        "UPDATE series SET closed_first = ?, closed_until = ? WHERE dataset = ? AND series = ?",
        [(change.coverage.first, change.coverage.until, spec.name, _text(s)) for s, change in changes.items()],
    )
    lines = [line(spec, series, gap) for series, change in changes.items() for gap in change.lines]
    if lines:
        Table.of(GAPS).put(database, pl.DataFrame(lines, schema=GAPS.polars_schema()), version=version)


def line(spec: DatasetSpec, series: Series, gap: CandleGap) -> dict[str, Any]:
    """A gap as a line of the ledger."""
    return {
        **dict(zip(spec.series_columns, series, strict=True)),
        "first_time": gap.first_time,
        "last_time": gap.last_time,
        "candles": gap.candles(_interval(spec, series)),
        "cause": str(gap.cause),
        "first_seen": gap.first_seen,
        "asked_at": gap.asked_at,
        "asks": gap.asks,
        "healed_at": gap.healed_at,
        "updated_at": gap.updated_at,
    }


def _interval(spec: DatasetSpec, series: Series) -> Interval:
    """The grid of a series of candles."""
    return interval(dict(zip(spec.series_columns, series, strict=True))["interval"])


def _text(series: Iterable[str]) -> str:
    return json.dumps(list(series))
