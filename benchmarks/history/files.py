"""Made files as Binance's archive has them: a zip for each month and each day of a pair, each with its CHECKSUM.

Candles of one minute that walk at random from a seed; kept from the first call on, outside git.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.environment import FOLDER
from benchmarks.made.candles import SEED, symbol_name
from datahub_assets.domain.history import Month, months
from datahub_assets.domain.times import DAY_MS, MINUTE_MS, utc_datetime

INTERVAL: Final = "1m"
FIRST: Final = Month(2023, 1)
"""Before the months whose stamps count microseconds, and after those whose files are known to be wrong."""
_FORM: Final = 1
"""Of what is made; another one is made anew."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it: so many pairs, in so many months."""

    pairs: int
    months: int

    @property
    def symbols(self) -> Sequence[str]:
        """The pairs, sorted."""
        return [symbol_name(number) for number in range(self.pairs)]

    @property
    def all_months(self) -> Sequence[Month]:
        """The months, oldest first."""
        return list(months(FIRST, Month(FIRST.year + (self.months - 1) // 12, (self.months - 1) % 12 + 1)))

    @property
    def rows(self) -> int:
        """How many candles that are."""
        return self.pairs * sum((month.end_ms - month.start_ms) // MINUTE_MS for month in self.all_months)


FULL: Final = Size(pairs=20, months=12)
TINY: Final = Size(pairs=2, months=1)


def made(size: Size) -> Path:
    """The folder of these files."""
    folder = FOLDER / "history" / f"{_FORM}-{SEED}-{size.pairs}x{size.months}"
    done = folder / ".complete"
    if not done.exists():
        print(f"making {size.rows:,} candles in zips (once) …", flush=True)
        for number, symbol in enumerate(size.symbols):
            rng = np.random.default_rng([SEED, number])
            for month in size.all_months:
                _make(folder, symbol, month, rng)
        done.touch()
    return folder


def month_zip(folder: Path, symbol: str, month: Month) -> Path:
    """Where the zip of a month is."""
    name = f"{symbol}-{INTERVAL}-{month}.zip"
    return folder / "data" / "spot" / "monthly" / "klines" / symbol / INTERVAL / name


def _make(folder: Path, symbol: str, month: Month, rng: np.random.Generator) -> None:
    lines = _lines(month, rng)
    _write(month_zip(folder, symbol, month), lines)
    per_day = DAY_MS // MINUTE_MS
    for number, day_ms in enumerate(range(month.start_ms, month.end_ms, DAY_MS)):
        name = f"{symbol}-{INTERVAL}-{utc_datetime(day_ms):%Y-%m-%d}.zip"
        target = folder / "data" / "spot" / "daily" / "klines" / symbol / INTERVAL / name
        _write(target, lines.slice(number * per_day, per_day))


def _lines(month: Month, rng: np.random.Generator) -> pl.DataFrame:
    """The columns of a kline, with as many digits as the exchange prints."""
    times = np.arange(month.start_ms, month.end_ms, MINUTE_MS, dtype=np.int64)
    count = times.size
    closes = np.exp(rng.uniform(1.0, 10.0) + np.cumsum(rng.normal(0.0, 0.0008, count)))
    opens = np.concatenate((closes[:1], closes[:-1]))
    wicks = np.abs(rng.normal(0.0, 0.0005, (2, count)))
    volumes, shares = rng.lognormal(3.0, 1.0, count), rng.uniform(0.35, 0.65, count)
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes) * (1 + wicks[0]),
        "low": np.minimum(opens, closes) * (1 - wicks[1]),
        "close": closes,
    }
    return pl.DataFrame(
        {
            "open_time": times,
            **{name: np.round(values, 4) for name, values in prices.items()},
            "volume": np.round(volumes, 5),
            "close_time": times + MINUTE_MS - 1,
            "quote_volume": np.round(volumes * closes, 4),
            "count": rng.poisson(200, count),
            "taker_buy_volume": np.round(volumes * shares, 5),
            "taker_buy_quote_volume": np.round(volumes * closes * shares, 4),
            "ignore": np.zeros(count, dtype=np.int64),
        }
    )


def _write(target: Path, lines: pl.DataFrame) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{target.stem}.csv", lines.write_csv(include_header=False, float_scientific=False))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    target.with_name(f"{target.name}.CHECKSUM").write_text(f"{digest}  {target.name}", encoding="ascii")
