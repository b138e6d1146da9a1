"""Lines of an archive's CSV become rows by the check of live klines, all at once where they can be.

A line is a kline as REST answers it, in text. A whole file is parsed and checked by polars. A row that breaks a bound
there, and every row of a file that polars cannot be trusted with, goes through `read_klines`, which decides alone why
a row is no good. So the fast way has to be right about good rows only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from datahub_assets.datasets.candles.archive.unzip import UnreadableFile
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.datasets.candles.rows import read_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.row_bounds import broken_bounds
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.fields import AHEAD_LIMIT_MS, EARLIEST_MS
from datahub_assets.domain.rows import Checked, frame_of, from_epoch_ms

LATEST_MS: Final = 10**13
"""A later stamp counts microseconds, which the archive does from 2025 on."""
_LATEST_US: Final = 10**16
_US: Final = 1000
"""Microseconds of a millisecond."""
_TIMES: Final = ("timestamp", "close_time")
_NAMES: Final = (
    *("timestamp", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trade_count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
"""By the order of a kline."""
_READ: Final = _NAMES[:-1]
_KINDS: Final = {column.name: column.kind for column in OHLC.columns}
_SCHEMA: Final = {
    name: pl.Float64() if _KINDS.get(name, ColumnKind.NUMBER) is ColumnKind.NUMBER else pl.Int64() for name in _NAMES
}
_OTHER_SPELLINGS: Final = (b"e", b"E", b"+", b" ", b"\t", b"\r")
"""Of numbers that polars reads and a live check does not: 1e5, +5, and such. What is not finite breaks a bound."""
_CHUNK: Final = 2**16
"""So many characters are looked at together: they stay in the processor's cache."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,1000}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,1000}\.[0-9]{1,1000}")
_HEADER: Final = re.compile(rb"open[ _]time,open,high,low,close,[a-z_ ,]*\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRows:
    """What a file holds.

    Attributes:
        checked: its good rows and the others; not sorted, and as often as they come.
        in_us: whether its stamps count microseconds.        has_header: whether it begins with names.
        unaligned: stamps of the good rows that do not open at a whole millisecond (epoch ms, cut).
    """

    checked: Checked
    in_us: bool
    has_header: bool
    unaligned: frozenset[int] = frozenset()


def rows_of(content: bytes, *, symbol: str, interval: Interval, now_ms: int) -> FileRows:
    """Read a file of one series.

    Args:
        now_ms: the time of fetching; becomes `ingested_at`, and tells final rows from others.

    Raises:
        UnreadableFile: it is no such CSV, or mixes units of time.
    """
    body, has_header = _body(content)
    lines = _Lines(body, symbol=symbol, interval=interval, now_ms=now_ms)
    table = _table(body)
    if table is None:
        klines = [_kline(line) for line in lines.all()]
        in_us = _in_us(time for kline in klines for time in _times(kline))
        return FileRows(lines.checked(klines, in_us=in_us), in_us, has_header, _unaligned_of(klines, in_us=in_us))
    in_us = _in_us(time for name in _TIMES for time in _ends(table[name]))
    unaligned = frozenset[int]()
    if in_us:
        odd = table["timestamp"].filter(table["timestamp"] % _US != 0)
        unaligned = frozenset((odd // _US).drop_nulls().to_list())
        table = table.with_columns(pl.col(_TIMES) // _US)
    broken = table.select(_broken(interval, now_ms)).to_series()
    if not broken.any():
        return FileRows(Checked(_finished(table, lines), ()), in_us, has_header, unaligned)
    others = lines.checked((_kline(lines.all()[at]) for at in broken.arg_true()), in_us=in_us)
    good = _finished(table.filter(~broken), lines)
    return FileRows(Checked(pl.concat([good, others.frame]), others.rejected), in_us, has_header, unaligned)


def _body(content: bytes) -> tuple[bytes, bool]:
    """The lines below the names, if it begins with names."""
    if not content or content[:1].isdigit() or content[:1] == b"-":
        return content, False
    header = _HEADER.match(content)
    if header is None:
        shown = content[:40].decode(errors="replace").strip()
        raise UnreadableFile(f"the file is no CSV of klines; it begins with {shown!r}")
    return content[header.end() :], True


def _table(body: bytes) -> pl.DataFrame | None:
    """The numbers of all lines, a row for each, also for an empty one; None where only a look at each line tells."""
    if not body or any(spelling in body for spelling in _OTHER_SPELLINGS):
        return None
    if _has_bare_dots(np.frombuffer(body, dtype=np.uint8)):
        return None
    try:
        return pl.read_csv(body, has_header=False, schema=_SCHEMA, quote_char=None).select(_READ)
    except pl.exceptions.PolarsError:
        return None


def _has_bare_dots(characters: NDArray[np.uint8]) -> bool:
    """Whether a number begins or ends with its dot, .5 or 5., which polars reads and a live check does not."""
    for at in range(0, len(characters), _CHUNK):
        chunk = characters[at : at + _CHUNK + 1]  # the last character is the next chunk's first
        dots, edges = chunk == ord("."), chunk < ord(".")  # the comma, signs and the end of a line are edges
        if (dots[1:] & edges[:-1]).any() or (dots[:-1] & edges[1:]).any():
            return True
    return False


def _in_us(times: Iterable[int]) -> bool:
    """Whether the stamps of a file count microseconds, and not milliseconds.

    Raises:
        UnreadableFile: some do and some do not, or they count something else.
    """
    found = list(times)
    late = [time for time in found if time > LATEST_MS]
    if any(time > _LATEST_US for time in late):
        raise UnreadableFile(f"stamps are neither milliseconds nor microseconds: {max(late)}")
    if late and len(late) < len(found):
        raise UnreadableFile(f"the file mixes milliseconds and microseconds: {min(found)} and {max(late)}")
    if found and max(found) < EARLIEST_MS:
        raise UnreadableFile(f"stamps are neither milliseconds nor microseconds: {max(found)}")
    return bool(late)


def _ends(times: pl.Series) -> Iterable[int]:
    """The first and the last of them, where there are any."""
    return (time for time in (times.min(), times.max()) if isinstance(time, int))


def _times(kline: list[object]) -> Iterable[int]:
    return (time for time in (*kline[:1], *kline[6:7]) if isinstance(time, int))


def _unaligned_of(klines: list[list[object]], *, in_us: bool) -> frozenset[int]:
    opens = [kline[0] for kline in klines if in_us]
    return frozenset(time // _US for time in opens if isinstance(time, int) and time % _US)


def _broken(interval: Interval, now_ms: int) -> pl.Expr:
    """Whether the live check might refuse a row: by its times (as `rows.py` has them), bounds, or what it lacks."""
    opened, closed = pl.col("timestamp"), pl.col("close_time")
    latest = now_ms + AHEAD_LIMIT_MS
    times = (opened < EARLIEST_MS) | (opened > latest) | (closed < opened) | (closed > latest + interval.length_ms)
    bounds = [broken for broken, _ in broken_bounds(OHLC)]
    return pl.any_horizontal(times, *bounds).fill_null(value=True)  # a bound of each column: null where it lacks


def _finished(table: pl.DataFrame, lines: "_Lines") -> pl.DataFrame:
    """Numbers as rows of the dataset."""
    return table.select(
        pl.lit(lines.symbol).alias("symbol"),
        pl.lit(lines.interval.name).alias("interval"),
        *(from_epoch_ms(pl.col(name)).alias(name) if name in _TIMES else pl.col(name) for name in _READ),
        (pl.col("close_time") < lines.now_ms).alias("closed"),  # as Interval.is_closed
        pl.lit(OHLC.provider).alias("provider"),
        from_epoch_ms(pl.lit(lines.now_ms)).alias("ingested_at"),
    ).select(OHLC.column_names)


@dataclass(slots=True)
class _Lines:
    """The lines of a file, each as a kline for the live check."""

    body: bytes
    symbol: str
    interval: Interval
    now_ms: int
    _split: list[bytes] | None = None

    def all(self) -> list[bytes]:
        if self._split is None:
            self._split = self.body.removesuffix(b"\n").split(b"\n") if self.body else []
        return self._split

    def checked(self, klines: Iterable[list[object]], *, in_us: bool) -> Checked:
        """By the live check."""
        rows, rejected = read_klines(
            (_in_ms(kline) if in_us else kline for kline in klines),
            symbol=self.symbol,
            interval=self.interval,
            server_time_ms=self.now_ms,
            now_ms=self.now_ms,
        )
        return Checked(frame_of(OHLC, rows), tuple(rejected))


def _kline(line: bytes) -> list[object]:
    """A line as the kline that REST would answer: times and the number of trades as numbers, the rest as text."""
    fields: list[object] = [*line.removesuffix(b"\r").decode(errors="replace").split(",")]
    for at in (0, 6, 8):
        if at < len(fields):
            fields[at] = _number(str(fields[at]))
    return fields


def _number(text: str) -> object:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _in_ms(kline: list[object]) -> list[object]:
    return [field // _US if at in {0, 6} and isinstance(field, int) else field for at, field in enumerate(kline)]
