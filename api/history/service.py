"""Writes differences and coverage as answers."""

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from api.encoders.text import json, times_as_text
from api.engine.conditions import condition
from api.engine.hub.reader import HubCommit
from api.engine.latest import latest_rows
from api.engine.snapshot import Snapshot
from api.history.coverage import SeriesCoverage, gaps, series_coverage
from api.history.differences import Difference, difference
from api.history.narrowing import Narrowing, check_narrowing, spelt
from api.history.schemas import Coverage, Diff, DiffCounts, Gap, RevisionAt, series_info
from api.http.disconnects import stop_if_left
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec
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
        added=_rows(found.added.head(limit)),
        changed=_rows(_pairs(found.before.head(limit), found.after.head(limit))),
        removed=_rows(found.removed.head(limit)),
    )


def coverage_of(snapshot: Snapshot, *, narrowing: Narrowing) -> Coverage:
    """What a commit covers, series by series, with the gaps of its ledger.

    Raises:
        UnknownValue, InvalidParameter: nothing is there by a value; an empty answer would look as if nothing were
            missing.
    """
    spec = snapshot.spec
    check_coverage(snapshot, narrowing=narrowing)
    wanted = [_wanted(snapshot, *given) for given in narrowing.on(spec)]
    ledger = gaps(snapshot)
    found = [
        (one, _gaps(ledger.get(one.named(spec) or "")))
        for one in series_coverage(snapshot)
        if all(one.group in groups or one.series in series for groups, series in wanted)
    ]
    return Coverage(
        dataset=spec.name,
        revision=snapshot.sha,
        missing=sum(_missing(lines) for _, lines in found),
        series=[_series(spec, one, lines) for one, lines in found],
    )


def check_coverage(snapshot: Snapshot, *, narrowing: Narrowing) -> None:
    """See that what coverage is narrowed down to is there. Blocks when files must be read. Raises as `coverage_of`."""
    check_narrowing([snapshot], narrowing, where=f"commit {snapshot.sha}", is_offered=names_series)


def names_series(spec: DatasetSpec, one: Filter) -> bool:
    """Whether the values of a filter say which series are meant."""
    return one.column in {spec.series, spec.group} or one.newest


def _wanted(
    snapshot: Snapshot, parameter: str, values: tuple[str, ...], filters: Sequence[Filter]
) -> tuple[set[str], set[str]]:
    """The groups, and the series, that a parameter means."""
    spec = snapshot.spec
    groups: set[str] = set()
    series: set[str] = set()
    for one in filters:
        spelling = spelt(spec, parameter, values, one)
        if one.column == spec.group:
            groups.update(spelling)
        elif one.column == spec.series:
            series.update(spelling)
        elif one.newest and spec.series is not None:
            series.update(latest_rows(snapshot).filter(condition(spec, one, spelling))[spec.series])
    return groups, series


def _series(spec: DatasetSpec, one: SeriesCoverage, lines: list[Gap]) -> msgspec.Struct:
    groups = {} if spec.group is None else {spec.group: one.group}
    return series_info(tuple(groups))(
        series=one.series,
        **groups,
        rows=one.rows,
        expected=None if spec.gaps is None else one.rows + _missing(lines),
        forming=one.forming,
        oldest=iso_short(one.oldest_ms),
        newest=iso_short(one.newest_ms),
        gaps=lines,
    )


def _gaps(lines: pl.DataFrame | None) -> list[Gap]:
    return [] if lines is None else msgspec.convert(times_as_text(lines).to_dicts(), list[Gap])


def _missing(lines: Sequence[Gap]) -> int:
    """Rows of the gaps that are not healed."""
    return sum(gap.missing for gap in lines if gap.healed_at is None)


def _pairs(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """As many rows, each of them `Change` in its columns."""
    return pl.DataFrame([before.to_struct("before"), after.to_struct("after")])


def _rows(frame: pl.DataFrame) -> Any:
    """The rows as a list of objects that is written already: to make objects of many rows, and to write those, would
    keep all other threads waiting."""
    stop_if_left()
    return msgspec.Raw(b"".join(json(frame)))
