"""What is there of a month so far: files and answers, their rows, and which of them say otherwise than others.

A slot is a place of the grid: so many in a month, each for one row. Rows that REST has off the grid count for the slot
that covers them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from datahub_assets.datasets.candles.archive.placing import TimeSpan
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.history import Month, SourceLine, Verdict
from datahub_assets.domain.rows import Rejected, content_columns
from datahub_assets.domain.times import iso_short

Slots = NDArray[np.bool_]
_VALUES: Final = [name for name in content_columns(OHLC) if name not in OHLC.key]
NO_ROWS: Final = pl.DataFrame(schema=OHLC.polars_schema())
_NOW: Final = "\0now"


class Kind(Enum):
    """What a part is; of two that say otherwise about a row the later one in this list counts."""

    MONTHLY = 1
    DAILY = 2
    REST = 3


@dataclass(slots=True)
class MonthPart:
    """A file or an answer, and what became of it.

    Attributes:
        span: the time it is about.        rows: its good rows, sorted by time.
        believed: whether no part that counts more says otherwise.
        remarks: what is odd about it.
    """

    kind: Kind
    span: TimeSpan
    url: str
    fetched_at: int
    sha256: str | None = None
    verdict: Verdict = Verdict.COMPLETE
    rows: pl.DataFrame = field(default_factory=lambda: NO_ROWS)
    rejected: tuple[Rejected, ...] = ()
    remarks: list[str] = field(default_factory=list)
    believed: bool = True


class Held:
    """The parts of one series' month.

    Attributes:
        parts: in the order they came.        asked: the slots REST was asked for and answered.
    """

    def __init__(self, symbol: str, interval: str, month: Month, *, step_ms: int) -> None:
        self.symbol, self.interval, self.month, self.step_ms = symbol, interval, month, step_ms
        self.parts: list[MonthPart] = []
        self.count = (month.end_ms - month.start_ms) // step_ms
        self.asked: Slots = np.zeros(self.count, dtype=np.bool_)

    def add(self, part: MonthPart) -> None:
        """Take a part in, and compare it with those that are there: of two that differ one is not believed any more."""
        for other in self.parts:
            if other.kind is not part.kind and other.rows.height and part.rows.height:
                _compare(*sorted((other, part), key=lambda one: one.kind.value))
        self.parts.append(part)

    def missing(self) -> Slots:
        """The slots without a row of a believed part."""
        return ~self.covered([part for part in self.parts if part.believed])

    def covered(self, parts: list[MonthPart]) -> Slots:
        """The slots that have a row in one of these parts."""
        slots: Slots = np.zeros(self.count, dtype=np.bool_)
        for part in parts:
            slots[self.slots_of(part.rows["timestamp"].dt.epoch("ms").to_numpy())] = True
        return slots

    def slots_of(self, times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slots of these times, of those that lie within the month."""
        slots: NDArray[np.int64] = (times_ms - self.month.start_ms) // self.step_ms
        return slots[(slots >= 0) & (slots < self.count)]

    def within(self, span: TimeSpan) -> slice:
        """The slots of a span."""
        return slice((span.start_ms - self.month.start_ms) // self.step_ms, self._end_slot(span.end_ms))

    def time(self, slot: int) -> int:
        """The begin of a slot, epoch ms."""
        return self.month.start_ms + slot * self.step_ms

    def taken(self) -> tuple[pl.DataFrame, list[int]]:
        """The rows, one per time, sorted; and how many of them are of each part.

        Each is of the first part that is believed and has it, else of any.
        """
        order = sorted(range(len(self.parts)), key=lambda at: (not self.parts[at].believed, at))
        filled = [at for at in order if self.parts[at].rows.height]
        counts = [0] * len(self.parts)
        if not filled:
            return NO_ROWS, counts
        if len(filled) == 1:
            (only,) = filled
            counts[only] = self.parts[only].rows.height
            return self.parts[only].rows, counts
        named = pl.concat([self.parts[at].rows.with_columns(pl.lit(at).alias(_NOW)) for at in filled])
        chosen = named.unique("timestamp", keep="first", maintain_order=True).sort("timestamp")
        for at, count in chosen[_NOW].value_counts().iter_rows():
            counts[at] = count
        return chosen.drop(_NOW), counts

    def lines(self, counts: list[int]) -> tuple[SourceLine, ...]:
        """The parts as lines of the ledger of sources."""
        return tuple(
            SourceLine(
                series=(self.symbol, self.interval),
                month=self.month,
                url=part.url,
                sha256=part.sha256,
                rows=count,
                fetched_at=part.fetched_at,
                verdict=part.verdict,
                detail="; ".join(part.remarks),
            )
            for part, count in zip(self.parts, counts, strict=True)
        )

    def _end_slot(self, time_ms: int) -> int:
        return -(-(time_ms - self.month.start_ms) // self.step_ms)


def runs(slots: Slots) -> Iterator[tuple[int, int]]:
    """Slots that follow each other, as (first, last)."""
    edges = np.flatnonzero(np.diff(slots.astype(np.int8), prepend=0, append=0))
    for first, end in edges.reshape(-1, 2).tolist():
        yield first, end - 1


def _compare(less: MonthPart, more: MonthPart) -> None:
    """Believe `less` no more where `more` has other values for the same rows; the first time that is found."""
    if not less.believed:
        return
    pairs = less.rows.join(more.rows, on="timestamp", suffix=_NOW)
    other = pairs.filter(pl.any_horizontal(pl.col(name) != pl.col(name + _NOW) for name in _VALUES))
    if other.is_empty():
        return
    less.believed, less.verdict = False, Verdict.DISAGREES
    first = iso_short(other.select(pl.col("timestamp").dt.epoch("ms").min()).item())
    less.remarks.append(f"{other.height} of {pairs.height} rows are others in {more.url} (the first of {first})")
