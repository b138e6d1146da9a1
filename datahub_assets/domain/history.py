"""Months of history, and what a source said of one. Pure."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, Self

from datahub_assets.domain.gaps import GridGap

if TYPE_CHECKING:  # settings name months, and are read by commands that should not wait for polars
    import polars as pl

    from datahub_assets.domain.rows import Rejected

Series = tuple[str, ...]
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, UTC."""

    year: int
    month: int

    def __post_init__(self) -> None:
        datetime(self.year, self.month, 1, tzinfo=UTC)  # says what is wrong

    @classmethod
    def parse(cls, text: str) -> Self:
        """The month of `2024-11`.

        Raises:
            ValueError: it is not written so.
        """
        written = re.fullmatch(r"([12]\d{3})-(0[1-9]|1[0-2])", text, re.ASCII)
        if written is None:
            raise ValueError(f"{text!r} is no month: write 2024-11")
        return cls(int(written[1]), int(written[2]))

    @classmethod
    def at(cls, time_ms: int) -> Self:
        """The month this moment (epoch ms) lies in."""
        moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
        return cls(moment.year, moment.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @property
    def start_ms(self) -> int:
        """Its first millisecond."""
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""
        return self.next.start_ms

    @property
    def span(self) -> "TimeRange":
        """All of it."""
        return TimeRange(self.start_ms, self.end_ms - 1)

    @property
    def previous(self) -> "Month":
        """The month before it."""
        return Month.at(self.start_ms - 1)

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.month // _MONTHS, self.month % _MONTHS + 1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A time, both ends included (epoch ms)."""

    first_ms: int
    last_ms: int


def months(first: Month, last: Month) -> Iterator[Month]:
    """All months from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = first.next


class Verdict(StrEnum):
    """What became of one file, or one answer, of a source."""

    COMPLETE = "complete"
    """Every row a full month has, or all since the series began and until it ended."""
    SHORT = "short"
    """It could be read, and some rows that should be there are not."""
    NO_FILE = "no_file"
    """The source has none."""
    UNREADABLE = "unreadable"
    """It is no zip, no CSV, or of no form that is known."""
    BAD_CHECKSUM = "bad_checksum"
    """Its content is not what the source's own checksum says, or the source has no checksum for it."""
    DISAGREES = "disagrees"
    """It could be read, and another source that counts more says otherwise; what that one says was taken."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it."""
        return self in (Verdict.COMPLETE, Verdict.NO_FILE)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the ledger `sources`: one file or answer that was asked for.

    Attributes:
        url: where it came from, without anything secret.
        sha256: of its content; None where there was none.
        rows: how many of its rows were taken.        fetched_at: epoch ms.
        detail: what is wrong with it, a sentence; empty where nothing is.
    """

    series: Series
    month: Month
    url: str
    sha256: str | None
    rows: int
    fetched_at: int
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SeriesMonth:
    """All a source has of one series in one month, after every check.

    Attributes:
        rows: of the dataset's columns, final ones only, sorted by time, each key once.
        sources: every file or answer asked for; the rows are those of the ones that were believed.
        rejected: rows that failed a check.
        gaps: what is missing between the first and the last row, and why.
        corrections: lines of the ledger of corrections, where two sources disagreed; the later value is the one taken.
        done: whether there is nothing more to be had: asking again would bring the same.
        undecided: times without a row of which the source does not say that there is none: it could not be asked, or
            the row it has failed its check. One that somebody else has may be right.
    """

    series: Series
    month: Month
    rows: "pl.DataFrame"
    sources: tuple[SourceLine, ...]
    rejected: tuple["Rejected", ...]
    gaps: tuple[GridGap, ...]
    corrections: "pl.DataFrame | None"
    done: bool
    undecided: tuple[TimeRange, ...] = ()


class HistorySource(Protocol):
    """Where a dataset's history comes from. For use from several threads."""

    def series(self, group: str, month: Month, *, wanted: Collection[str] | None, with_delisted: bool) -> list[Series]:
        """The series that may have rows in that month, sorted; `wanted`: names, or `all:USDT`; None for the settings'.

        Raises:
            SourceError: the source could not be asked.        ValueError: one of the wanted is not known: which one.
        """
        ...

    def at_once(self, group: str) -> int:
        """How many series of a group are best fetched at once: their answers wait in memory."""
        ...

    def fetch(self, series: Series, month: Month) -> SeriesMonth:
        """All there is of it.

        Raises:
            SourceError: the source could not be asked; try again later.
        """
        ...
