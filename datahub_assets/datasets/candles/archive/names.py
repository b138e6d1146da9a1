"""What the archive's files are called.

`data/spot/{monthly,daily}/klines/SYMBOL/INTERVAL/SYMBOL-INTERVAL-{YYYY-MM,YYYY-MM-DD}.zip`, each with a `.CHECKSUM` of
the form `<sha256>  <file>` (github.com/binance/binance-public-data, "Details").
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from datahub_assets.domain.history import Month
from datahub_assets.domain.times import DAY_MS, utc_datetime

CHECKSUM: Final = ".CHECKSUM"
MONTHLY: Final = "data/spot/monthly/klines/"
DAILY: Final = "data/spot/daily/klines/"
_MONTH_NAME: Final = re.compile(r"(\d{4})-(\d{1,2})\.zip")
_DAY_NAME: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})\.zip")


def month_folder(symbol: str, interval: str) -> str:
    """The prefix of all monthly files of a series."""
    return f"{MONTHLY}{symbol}/{interval}/"


def month_key(symbol: str, interval: str, month: Month) -> str:
    """The key of a monthly file."""
    return f"{month_folder(symbol, interval)}{symbol}-{interval}-{month}.zip"


def day_prefix(symbol: str, interval: str, month: Month) -> str:
    """The prefix of all daily files of a month."""
    return f"{DAILY}{symbol}/{interval}/{symbol}-{interval}-{month}-"


def day_key(symbol: str, interval: str, day_ms: int) -> str:
    """The key of the daily file of the day that begins then."""
    return f"{DAILY}{symbol}/{interval}/{symbol}-{interval}-{utc_datetime(day_ms):%Y-%m-%d}.zip"


def days_of(month: Month) -> range:
    """The begins of its days, epoch ms."""
    return range(month.start_ms, month.end_ms, DAY_MS)


def months_in(keys: Iterable[str]) -> Mapping[Month, str]:
    """The monthly files of a folder: the key by month; of two spellings of one month the usual one.

    A few have a month without its leading zero: `ADABKRW-1h-2020-8.zip`
    (https://github.com/binance/binance-public-data/issues/469).
    """
    found: dict[Month, str] = {}
    for key in sorted(keys, key=len):
        written = _MONTH_NAME.fullmatch(_stamp(key, 2))
        if written and 1 <= int(written[2]) <= 12:  # noqa: PLR2004 - months
            found[Month(int(written[1]), int(written[2]))] = key
    return found


def days_in(keys: Iterable[str]) -> Mapping[int, str]:
    """The daily files of a folder: the key by the begin of the day, epoch ms."""
    found = {}
    for key in keys:
        written = _DAY_NAME.fullmatch(_stamp(key, 2))
        if written:
            try:
                day = date(int(written[1]), int(written[2]), int(written[3]))
            except ValueError:
                continue
            found[(day - date(1970, 1, 1)).days * DAY_MS] = key
    return found


def is_padded(key: str) -> bool:
    """Whether a monthly file's name has its leading zero."""
    written = _MONTH_NAME.fullmatch(_stamp(key, 2))
    return written is not None and len(written[2]) == 2  # noqa: PLR2004 - digits


def member_names(key: str, month: Month | None = None) -> tuple[str, ...]:
    """What the file within the zip may be called: as the zip, or with the month's usual name."""
    stem = key.rpartition("/")[2].removesuffix(".zip")
    if month is None or is_padded(key):
        return (f"{stem}.csv",)
    symbol, interval, _ = stem.split("-", 2)
    return f"{stem}.csv", f"{symbol}-{interval}-{month}.csv"


def _stamp(key: str, parts: int) -> str:
    """What follows `SYMBOL-INTERVAL-` in a key's name."""
    name = key.rpartition("/")[2]
    return name.split("-", parts)[parts] if name.count("-") >= parts else ""
