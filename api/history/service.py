"""Writes differences and coverage as answers."""

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from api.encoders.text import times_as_text
from api.engine.coverage import gaps, series_coverage
from api.engine.diff import Difference, difference
from api.engine.hub.reader import HubCommit
from api.engine.snapshot import Snapshot
from api.history.schemas import Change, Coverage, Diff, DiffCounts, Gap, RevisionAt, SeriesInfo
from api.http.errors import UnknownInterval, UnknownSymbol
from datahub_assets.domain.times import iso_short


def diff_of(earlier: Snapshot, later: Snapshot, *, limit: int) -> Diff:
    """The difference between two commits, at most `limit` rows of each kind. Raises DiffTooLarge."""
    found = difference(earlier, later)
    return write_diff(found, dataset=later.spec.name, earlier=earlier.commit, later=later.commit, limit=limit)


def write_diff(found: Difference, *, dataset: str, earlier: HubCommit, later: HubCommit, limit: int) -> Diff:
    """A difference as an answer, at most `limit` rows of each kind."""
    counts = DiffCounts(added=found.added.height, changed=found.after.height, removed=found.removed.height)
    return Diff(
        dataset=dataset,
        earlier=RevisionAt(earlier.sha, iso_short(earlier.at_ms)),
        later=RevisionAt(later.sha, iso_short(later.at_ms)),
        counts=counts,
        truncated=max(counts.added, counts.changed, counts.removed) > limit,
        added=_rows(found.added, limit=limit),
        changed=[
            Change(*pair)
            for pair in zip(_rows(found.before, limit=limit), _rows(found.after, limit=limit), strict=True)
        ],
        removed=_rows(found.removed, limit=limit),
    )


def coverage_of(snapshot: Snapshot, *, symbols: tuple[str, ...], interval: str | None) -> Coverage:
    """What a commit covers, series by series, with the gaps of its ledger. Raises UnknownSymbol, UnknownInterval."""
    wanted = _checked(snapshot, symbols, interval)
    ledger = gaps(snapshot)
    by_series: dict[tuple[str | None, str], list[Gap]] = {}
    for line in times_as_text(ledger).iter_rows(named=True):
        by_series.setdefault((line["interval"], line["symbol"]), []).append(msgspec.convert(line, Gap))
    series = [
        SeriesInfo(
            series=one.series,
            interval=one.group,
            rows=one.rows,
            expected=None if one.group is None else one.rows + _missing(by_series.get((one.group, one.series), [])),
            forming=one.forming,
            oldest=iso_short(one.oldest_ms),
            newest=iso_short(one.newest_ms),
            gaps=by_series.get((one.group, one.series), []),
        )
        for one in series_coverage(snapshot)
        if (not wanted or one.series in wanted) and interval in {None, one.group}
    ]
    missing = sum(_missing(one.gaps) for one in series)
    return Coverage(dataset=snapshot.spec.name, revision=snapshot.sha, missing=missing, series=series)


def _missing(gaps_of_series: Sequence[Gap]) -> int:
    """Candles of the gaps that are not healed."""
    return sum(gap.candles for gap in gaps_of_series if gap.healed_at is None)


def _checked(snapshot: Snapshot, symbols: tuple[str, ...], interval: str | None) -> frozenset[str]:
    """The series that are meant, pairs in any spelling; an empty answer would look as if nothing were missing."""
    groups = [group for group in snapshot.groups if group is not None]
    if interval is not None and interval not in groups:
        raise UnknownInterval.of(interval, valid=sorted(groups))
    known = frozenset().union(*snapshot.series.values())
    wanted = {symbol: symbol if symbol in known else symbol.upper() for symbol in symbols}
    missing = [symbol for symbol, name in wanted.items() if name not in known]
    if missing:
        raise UnknownSymbol.of("symbol", missing, known=known, where=f"commit {snapshot.sha}")
    return frozenset(wanted.values())


def _rows(frame: pl.DataFrame, *, limit: int) -> list[dict[str, Any]]:
    return times_as_text(frame.head(limit)).to_dicts()
