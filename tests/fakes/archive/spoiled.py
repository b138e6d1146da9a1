"""The ways files of the archive were seen to be wrong, each by a name (github.com/binance/binance-public-data, issues).

Of a file: its rows, the lines they are printed as, the zip, its CHECKSUM. Each spoils one of these.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from tests.fakes.archive.market import FileOf, printed
from tests.fakes.candles import LENGTHS_MS, Kline
from tests.fakes.faults import FIREWALL_HTML

HEADER: Final = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    b"taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Made:
    """A file in the making. `checksum` None: there is none; empty: of what the zip is."""

    of: FileOf
    name: str
    rows: list[Kline]
    lines: bytes = b""
    zipped: bytes = b""
    checksum: bytes | None = b""


Spoil = Callable[[Made], Made]


def finished(made: Made, spoils: list[tuple[str, Spoil]]) -> Made:
    """The file after all that spoils it: its rows first, then its lines, the zip, the CHECKSUM."""

    def spoiled(made: Made, stage: str) -> Made:
        for name, spoil in spoils:
            if STAGES[name] == stage:
                made = spoil(made)
        return made

    made = spoiled(made, "rows")
    made = spoiled(replace(made, lines=printed(made.rows, in_us=made.of.in_us)), "lines")
    made = spoiled(replace(made, zipped=zipped({made.name.removesuffix(".zip") + ".csv": made.lines})), "zip")
    line = f"{sha256(made.zipped).hexdigest()}  {made.name}".encode()  # the real ones have no final newline either
    return spoiled(replace(made, checksum=line), "checksum")


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _time(row: Kline) -> int:
    return int(str(row[0]))


def week() -> Spoil:
    """Seven days are in it."""
    return lambda made: replace(made, rows=[r for r in made.rows if _time(r) < _time(made.rows[0]) + 7 * DAY_MS])


def cut_short(hours: int = 20) -> Spoil:
    """It ends so many hours after its first row."""
    until = hours * 3_600_000
    return lambda made: replace(made, rows=[r for r in made.rows if _time(r) < _time(made.rows[0]) + until])


def hole(start_ms: int, end_ms: int) -> Spoil:
    """Without the rows of [start, end)."""
    return lambda made: replace(made, rows=[r for r in made.rows if not start_ms <= _time(r) < end_ms])


def disagrees(start_ms: int, end_ms: int) -> Spoil:
    """Another volume in the rows of [start, end)."""

    def spoil(made: Made) -> Made:
        changed = [
            [*r[:5], f"{float(str(r[5])) * 2:.8f}", *r[6:]] if start_ms <= _time(r) < end_ms else r for r in made.rows
        ]
        return replace(made, rows=changed)

    return spoil


def off_grid(by_ms: int = 1234, count: int = 1, at: int = 5) -> Spoil:
    """Some rows open later than they should."""

    def spoil(made: Made) -> Made:
        moved = [[_time(r) + by_ms, *r[1:]] for r in made.rows[at : at + count]]
        return replace(made, rows=[*made.rows[:at], *moved, *made.rows[at + count :]])

    return spoil


def outside(count: int = 2) -> Spoil:
    """Rows of the time after it, too."""

    def spoil(made: Made) -> Made:
        step = LENGTHS_MS[made.of.interval]
        last = made.rows[-1]
        more = [
            [_time(last) + n * step, *last[1:6], int(str(last[6])) + n * step, *last[7:]] for n in range(1, count + 1)
        ]
        return replace(made, rows=[*made.rows, *more])

    return spoil


def doubled(differs: bool = False, at: int = 3) -> Spoil:
    """A row that comes twice; with another volume."""

    def spoil(made: Made) -> Made:
        row = made.rows[at]
        twin = [*row[:5], f"{float(str(row[5])) + 1:.8f}", *row[6:]] if differs else row
        return replace(made, rows=[*made.rows[: at + 1], twin, *made.rows[at + 1 :]])

    return spoil


def bad_row(column: int, value: str, at: int = 4) -> Spoil:
    """One field of one row is something else."""

    def spoil(made: Made) -> Made:
        row = [*made.rows[at][:column], value, *made.rows[at][column + 1 :]]
        return replace(made, rows=[*made.rows[:at], row, *made.rows[at + 1 :]])

    return spoil


def header() -> Spoil:
    """A line with the names of the columns."""
    return lambda made: replace(made, lines=HEADER + made.lines)


def microseconds() -> Spoil:
    """Stamps in microseconds."""
    return lambda made: replace(made, lines=printed(made.rows, in_us=True))


def milliseconds() -> Spoil:
    """Stamps in milliseconds."""
    return lambda made: replace(made, lines=printed(made.rows, in_us=False))


def mixed_units() -> Spoil:
    """Half of the stamps in microseconds."""

    def spoil(made: Made) -> Made:
        half = len(made.rows) // 2
        return replace(made, lines=printed(made.rows[:half], in_us=False) + printed(made.rows[half:], in_us=True))

    return spoil


def seconds() -> Spoil:
    """Stamps in seconds."""

    def spoil(made: Made) -> Made:
        rows = [[_time(r) // 1000, *r[1:6], int(str(r[6])) // 1000, *r[7:]] for r in made.rows]
        return replace(made, lines=printed(rows, in_us=False))

    return spoil


def lines(text: str) -> Spoil:
    """Something else than rows."""
    return lambda made: replace(made, lines=text.encode())


def not_a_zip() -> Spoil:
    """The lines themselves, under the name of a zip."""
    return lambda made: replace(made, zipped=made.lines)


def cut_zip(share: float = 0.5) -> Spoil:
    """The beginning of the zip."""
    return lambda made: replace(made, zipped=made.zipped[: int(len(made.zipped) * share)])


def html() -> Spoil:
    """A page for people."""
    return lambda made: replace(made, zipped=FIREWALL_HTML)


def bomb(mib: int = 64) -> Spoil:
    """Lines without end; the zip is small."""
    return lambda made: replace(made, zipped=zipped({f"{made.name[:-4]}.csv": b"0" * (mib * 2**20)}))


def lying_bomb(mib: int = 64) -> Spoil:
    """The same, and the zip declares a few bytes."""

    def spoil(made: Made) -> Made:
        size = mib * 2**20
        honest = zipped({f"{made.name[:-4]}.csv": b"0" * size})
        return replace(made, zipped=honest.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))

    return spoil


def bad_crc() -> Spoil:
    """The zip's own sum does not fit."""

    def spoil(made: Made) -> Made:
        crc = zlib.crc32(made.lines)
        wrong = crc ^ 1
        return replace(made, zipped=made.zipped.replace(crc.to_bytes(4, "little"), wrong.to_bytes(4, "little")))

    return spoil


def members(names: list[str]) -> Spoil:
    """Members of these names."""
    return lambda made: replace(made, zipped=zipped(dict.fromkeys(names, made.lines)))


def checksum_mismatch() -> Spoil:
    """A CHECKSUM of other content."""
    return lambda made: replace(made, checksum=f"{'0' * 64}  {made.name}".encode())


def checksum_missing() -> Spoil:
    """No CHECKSUM."""
    return lambda made: replace(made, checksum=None)


def checksum_is(text: str) -> Spoil:
    """A CHECKSUM file with this in it."""
    return lambda made: replace(made, checksum=text.encode())


_BY_STAGE: Final[dict[str, tuple[Callable[..., Spoil], ...]]] = {
    "rows": (week, cut_short, hole, disagrees, off_grid, outside, doubled, bad_row),
    "lines": (header, microseconds, milliseconds, mixed_units, seconds, lines),
    "zip": (not_a_zip, cut_zip, html, bomb, lying_bomb, bad_crc, members),
    "checksum": (checksum_mismatch, checksum_missing, checksum_is),
}
SPOILS: Final = {one.__name__: one for ones in _BY_STAGE.values() for one in ones}
STAGES: Final = {one.__name__: stage for stage, ones in _BY_STAGE.items() for one in ones}


def spoil(kind: str, details: dict[str, Any]) -> Spoil:
    """The one of this name."""
    if kind not in SPOILS:
        raise ValueError(f"unknown way to be wrong {kind!r}; known: {', '.join(sorted(SPOILS))}")
    return SPOILS[kind](**details)
