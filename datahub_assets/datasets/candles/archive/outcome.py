"""What a reading of a month comes to: rows, verdicts, gaps, corrections, and whether there is more to be had."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from datahub_assets.datasets.candles.archive.held import Held, Kind, MonthPart, Slots, runs
from datahub_assets.datasets.candles.archive.month_reader import LATE_MS, MonthReader, set_aside
from datahub_assets.datasets.candles.archive.upstream import Upstream
from datahub_assets.datasets.candles.client.rest import TRADING
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrected_values
from datahub_assets.domain.errors import SourceError
from datahub_assets.domain.gaps import Cause, GridGap
from datahub_assets.domain.history import SeriesMonth, TimeRange, Verdict
from datahub_assets.domain.times import iso_short


@dataclass(frozen=True, slots=True)
class _Life:
    """Whether the series had rows before the month and has some after it; None where nobody could say."""

    before: bool | None
    after: bool | None


def outcome(reader: MonthReader, upstream: Upstream) -> SeriesMonth:
    """All that was found, judged."""
    held = reader.held
    rows, counts = held.taken()
    there = held.covered(held.parts)
    life = _life(held, there, upstream)
    expected = _expected(there, life)
    for part in held.parts:
        _judge(part, held, there=there, expected=expected)
    now_ms = upstream.clock()
    rejected = tuple(one for part in held.parts for one in part.rejected)
    is_late = _is_awaited(held, now_ms=now_ms) and not reader.is_wide and rows.height > 0
    return SeriesMonth(
        series=(held.symbol, held.interval),
        month=held.month,
        rows=rows,
        sources=held.lines(counts),
        rejected=rejected,
        gaps=tuple(_gaps(held, ~there & expected, now_ms=now_ms)),
        corrections=_corrections(held, rows),
        done=not reader.failed and not is_late and None not in (life.before, life.after),
        undecided=tuple(_undecided(held, ~there)),
    )


def _life(held: Held, there: Slots, upstream: Upstream) -> _Life:
    """Told by the listing, and by the exchange for a pair that is traded still; asked only where it makes a difference.

    A month without any row is no gap: the series may not have begun, or have ended.
    """
    if not there.any() or (there[0] and there[-1]):
        return _Life(before=bool(there.any()), after=bool(there.any()))
    try:
        listed = upstream.months(held.symbol, held.interval)
        if there[-1]:
            return _Life(before=min(listed, default=held.month) < held.month, after=True)
        pair = upstream.pairs().get(held.symbol)
    except SourceError:
        return _Life(before=True if there[0] else None, after=True if there[-1] else None)
    traded = pair is not None and pair.status == TRADING
    return _Life(
        before=min(listed, default=held.month) < held.month,
        after=traded or max(listed, default=held.month) > held.month,
    )


def _expected(there: Slots, life: _Life) -> Slots:
    """The slots a row belongs in: between the first and the last one, and as far as the series goes on."""
    expected: Slots = np.zeros(len(there), dtype=np.bool_)
    found = np.flatnonzero(there)
    if len(found):
        first = 0 if life.before else found[0]
        last = len(there) - 1 if life.after else found[-1]
        expected[first : last + 1] = True
    return expected


def _judge(part: MonthPart, held: Held, *, there: Slots, expected: Slots) -> None:
    """Say of a file that lacks rows that it does: those another part has, and those nobody said there are none of."""
    if part.verdict is not Verdict.COMPLETE or part.kind is Kind.REST:
        return
    within = held.within(part.span)
    should = (there | (expected & ~held.asked))[within]
    lacks = np.flatnonzero(should & ~held.covered([part])[within])
    if len(lacks):
        first = iso_short(held.time(within.start + int(lacks[0])))
        part.verdict = Verdict.SHORT
        part.remarks.append(f"{len(lacks)} of {int(should.sum())} rows lack (the first of {first})")


def _gaps(held: Held, missing: Slots, *, now_ms: int) -> Iterator[GridGap]:
    """Each hole by its cause: a row that failed its check, none that REST had, or one nobody was asked for."""
    failed = set_aside(held.parts, held)
    for cause, slots in (
        (Cause.QUARANTINED, missing & failed),
        (Cause.EXCHANGE_HAD_NONE, missing & ~failed & held.asked),
        (Cause.NOT_FETCHED, missing & ~failed & ~held.asked),
    ):
        is_asked = cause is Cause.EXCHANGE_HAD_NONE
        for first, last in runs(slots):
            yield GridGap(
                held.time(first),
                held.time(last),
                cause,
                first_seen=now_ms,
                updated_at=now_ms,
                asked_at=now_ms if is_asked else None,
                asks=int(is_asked),
            )


def _undecided(held: Held, missing: Slots) -> Iterator[TimeRange]:
    for first, last in runs(missing & (~held.asked | set_aside(held.parts, held))):
        yield TimeRange(held.time(first), held.time(last + 1) - 1)


def _corrections(held: Held, rows: pl.DataFrame) -> pl.DataFrame | None:
    """The values of parts that were not believed, where the rows taken have others."""
    found = [
        corrected_values(OHLC, before=part.rows, after=rows)
        for part in held.parts
        if part.verdict is Verdict.DISAGREES and part.rows.height
    ]
    lines = pl.concat(found) if found else pl.DataFrame()
    return lines.unique(maintain_order=True) if lines.height else None


def _is_awaited(held: Held, *, now_ms: int) -> bool:
    """Whether the monthly file may still come."""
    lacking = any(part.kind is Kind.MONTHLY and part.verdict is Verdict.NO_FILE for part in held.parts)
    return lacking and now_ms < held.month.end_ms + LATE_MS
