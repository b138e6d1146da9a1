"""Reads one month of one series: asks one source after the other, for what the ones before lack.

Monthly file, daily files, REST. Candles of four hours and longer come from REST first, which has a month of them in one
answer. Months whose monthly files are known to be wrong come from daily files. Of some monthly files one day is
compared with its daily file or with REST; where they differ, the month is built of daily files.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from datahub_assets.datasets.candles.archive import names
from datahub_assets.datasets.candles.archive.csv_rows import rows_of
from datahub_assets.datasets.candles.archive.download import Download
from datahub_assets.datasets.candles.archive.held import Held, Kind, MonthPart, Slots, runs
from datahub_assets.datasets.candles.archive.known_faults import WRONG_MONTHLY
from datahub_assets.datasets.candles.archive.placing import TimeSpan, placed
from datahub_assets.datasets.candles.archive.unzip import UnreadableFile, unzipped
from datahub_assets.datasets.candles.archive.upstream import Upstream
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.domain.errors import SourceError, SourceRejected
from datahub_assets.domain.history import Month, Verdict
from datahub_assets.domain.times import DAY_MS, HOUR_MS, utc_datetime

_WIDE_MS: Final = 4 * HOUR_MS
"""Candles of this length and longer are asked of REST first."""
_SAMPLED: Final = 20
"""One monthly file in so many is compared."""
_MOST_QUESTIONS: Final = 20
"""Of more holes than this REST is not asked one by one, but for all from the first to the last."""
LATE_MS: Final = 14 * DAY_MS
"""A monthly file may come so long after its month: some were days late
(https://github.com/binance/binance-public-data/issues/328)."""
_LINE_BYTES: Final = 512
_FIRST_US: Final = Month(2025, 1)
"""From this month on the archive's stamps count microseconds."""


def is_wide(interval: Interval) -> bool:
    """Whether candles are asked of REST first."""
    return interval.length_ms >= _WIDE_MS


class MonthReader:
    """One reading. `failed` has the questions that got no answer, by which something may still come."""

    def __init__(self, upstream: Upstream, *, symbol: str, interval: Interval, month: Month) -> None:
        self._upstream = upstream
        self._symbol, self._interval, self._month = symbol, interval, month
        self.held = Held(symbol, interval.name, month, step_ms=interval.length_ms)
        self.failed: list[SourceError] = []
        self._is_unknown = False

    @property
    def is_wide(self) -> bool:
        """Whether REST is asked first."""
        return is_wide(self._interval)

    def read(self) -> Held:
        """Ask until nothing is missing, or nobody is left to ask.

        Raises:
            SourceError: nothing was had, since a source could not be asked.
        """
        wrong = WRONG_MONTHLY.get(self._month)
        if self.is_wide:
            self._try(self._rest)
            if self.held.asked.all() and self.held.missing().all():
                return self.held  # it had not begun, or is over
        if wrong is not None and self.held.missing().any():
            self._add_unused(wrong)
        elif self.held.missing().any():
            self._try(self._monthly)
        self._try(self._daily)
        if self.failed and not self.held.covered(self.held.parts).any():
            raise self.failed[0]  # a whole month of fine candles is more than REST is there for
        self._try(self._rest)
        return self.held

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except SourceError as error:
            self.failed.append(error)

    def _monthly(self) -> None:
        key = names.month_key(self._symbol, self._interval.name, self._month)
        known = self._upstream.known_months(self._symbol, self._interval.name)
        is_there = known is None or self._month in known
        found = self._downloaded(key) if is_there else Download(key, None, None, Verdict.NO_FILE)
        if found.verdict is Verdict.NO_FILE:
            listed = self._upstream.months(self._symbol, self._interval.name).get(self._month, key)
            found = found if listed == key else self._downloaded(listed)
        part = self._take(found, Kind.MONTHLY, self._whole)
        if not names.is_padded(found.key):
            part.remarks.append("the month in its name has no leading zero")
        if part.rows.height and not self.is_wide and _chance(self._symbol, self._interval, self._month) == 0:
            self._compare_a_day(part)

    def _compare_a_day(self, part: MonthPart) -> None:
        days = sorted({time // DAY_MS * DAY_MS for time in part.rows["timestamp"].dt.epoch("ms")})
        day_ms = days[_chance(self._symbol, self._interval, self._month, "day", of=len(days))]
        span = _day(day_ms)
        found = self._downloaded(names.day_key(self._symbol, self._interval.name, day_ms))
        daily = self._take(found, Kind.DAILY, span)
        if daily.rows.is_empty():
            self._ask(span)

    def _daily(self) -> None:
        missing = self.held.missing()
        asked = {part.span.start_ms for part in self.held.parts if part.kind is Kind.DAILY}
        wanted = [
            day_ms
            for day_ms in names.days_of(self._month)
            if missing[self.held.within(_day(day_ms))].any() and day_ms not in asked
        ]
        if not wanted or self._is_beyond():
            return
        listed = self._upstream.days(self._symbol, self._interval.name, self._month)
        wanted = [day_ms for day_ms in wanted if day_ms in listed]
        found = self._upstream.downloads([listed[day_ms] for day_ms in wanted])
        for day_ms, one in zip(wanted, found, strict=True):
            if isinstance(one, SourceError):
                self.failed.append(one)
            else:
                self._take(one, Kind.DAILY, _day(day_ms))

    def _is_beyond(self) -> bool:
        """Whether the list of monthly files says that the series began after the month, or ended before it."""
        known = self._upstream.known_months(self._symbol, self._interval.name)
        if known is None:
            return False
        is_over = self._upstream.clock() > self._month.end_ms + LATE_MS
        return not known or self._month < min(known) or (is_over and self._month > max(known))

    def _rest(self) -> None:
        missing: Slots = self.held.missing() & ~self.held.asked
        holes = list(runs(missing))
        if len(holes) > _MOST_QUESTIONS:
            holes = [(holes[0][0], holes[-1][1])]
        for first, last in holes:
            start_ms, end_ms = self.held.time(first), self.held.time(last + 1)
            self._ask(TimeSpan("the question", start_ms, end_ms))

    def _ask(self, span: TimeSpan) -> None:
        if self._is_unknown:
            return
        try:
            answer = self._upstream.klines(self._symbol, self._interval, start_ms=span.start_ms, end_ms=span.end_ms)
        except SourceRejected as error:  # it does not know the pair, or not any more
            part = self._part(Kind.REST, span, self._upstream.rest_url, verdict=Verdict.NO_FILE)
            part.remarks.append(str(error))
            self.held.add(part)
            self._is_unknown = True
            return
        self.held.asked[self.held.within(span)] = True
        part = self._part(Kind.REST, span, answer.url)
        part.rows, part.rejected = answer.frame, answer.rejected
        self.held.add(part)

    def _downloaded(self, key: str) -> Download:
        (found,) = self._upstream.downloads([key])
        if isinstance(found, SourceError):
            raise found
        return found

    def _take(self, found: Download, kind: Kind, span: TimeSpan) -> MonthPart:
        """What came, read as far as it can be."""
        part = self._part(kind, span, self._upstream.url(found.key), verdict=found.verdict or Verdict.COMPLETE)
        part.sha256 = found.sha256
        part.remarks.extend([found.detail] if found.detail else [])
        if found.content is not None:
            try:
                self._fill(part, found.content, found.key)
            except UnreadableFile as error:
                part.verdict = Verdict.UNREADABLE
                part.remarks.append(str(error))
        self.held.add(part)
        return part

    def _fill(self, part: MonthPart, content: bytes, key: str) -> None:
        span, step_ms = part.span, self._interval.length_ms
        most_bytes = (span.end_ms - span.start_ms) // step_ms * _LINE_BYTES + _LINE_BYTES
        month = self._month if part.kind is Kind.MONTHLY else None
        body = unzipped(content, names=names.member_names(key, month), most_bytes=most_bytes)
        found = rows_of(body, symbol=self._symbol, interval=self._interval, now_ms=part.fetched_at)
        part.rows, remarks = placed(found, span, step_ms=step_ms)
        part.rejected = found.checked.rejected
        if found.has_header:
            part.remarks.append("it begins with the names of the columns")
        if body and found.in_us != (self._month >= _FIRST_US):
            unit, expected = ("microseconds", "milliseconds")[:: 1 if found.in_us else -1]
            part.remarks.append(f"its stamps count {unit}, where {expected} are usual")
        if part.rejected:
            part.remarks.append(
                f"rows that failed a check: {len(part.rejected)} (the first: {part.rejected[0].reason})"
            )
        part.remarks.extend(remarks)

    def _add_unused(self, reason: str) -> None:
        key = names.month_key(self._symbol, self._interval.name, self._month)
        part = self._part(Kind.MONTHLY, self._whole, self._upstream.url(key), verdict=Verdict.DISAGREES)
        part.remarks.append(reason)
        self.held.add(part)

    @property
    def _whole(self) -> TimeSpan:
        return TimeSpan(str(self._month), self._month.start_ms, self._month.end_ms)

    def _part(self, kind: Kind, span: TimeSpan, url: str, *, verdict: Verdict = Verdict.COMPLETE) -> MonthPart:
        return MonthPart(kind, span, url, fetched_at=self._upstream.clock(), verdict=verdict)


def _day(day_ms: int) -> TimeSpan:
    return TimeSpan(f"{utc_datetime(day_ms):%Y-%m-%d}", day_ms, day_ms + DAY_MS)


def _chance(symbol: str, interval: Interval, month: Month, *words: str, of: int = _SAMPLED) -> int:
    """A number below `of`, the same whenever the same month is read."""
    digest = hashlib.sha256(" ".join((symbol, interval.name, str(month), *words)).encode()).digest()
    return int.from_bytes(digest[:8]) % of


def set_aside(parts: Iterable[MonthPart], held: Held) -> Slots:
    """The slots for which a row came that failed a check."""
    slots: Slots = np.zeros(held.count, dtype=np.bool_)
    times = [one.at_ms for part in parts for one in part.rejected if one.at_ms is not None]
    slots[held.slots_of(np.array(times, dtype=np.int64))] = True
    return slots
