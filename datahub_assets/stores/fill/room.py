"""Whether the disk takes a fill, before it begins."""

import shutil
from pathlib import Path
from typing import Final

from datahub_assets.datasets.spec import GapRule
from datahub_assets.domain.errors import CacheFull
from datahub_assets.stores.fill.wishes import Wish

BYTES_PER_ROW: Final = 60
"""What a row takes in a parquet file, about: a day of 360,000 candles was measured with 57."""
SPARE_BYTES: Final = 256 * 1024 * 1024
_MB: Final = 1_000_000


def see_that_there_is_room(wish: Wish, *, series: int, home: Path, keeps_all: bool) -> None:
    """See that the files of a fill fit on the disk; nothing is known of rows that have no grid.

    Args:
        series: how many there are of a group.
        keeps_all: whether the Hub lies on this disk as well; else only the month that is being built does.

    Raises:
        CacheFull: they do not.
    """
    gaps = wish.spec.gaps
    if not isinstance(gaps, GapRule):
        return
    rows = [
        series * (month.end_ms - month.start_ms) // gaps.step_ms(("",) * (len(wish.spec.series_columns) - 1) + (group,))
        for group, month in wish.partitions()
    ]
    needed = (sum(rows) if keeps_all else max(rows, default=0)) * BYTES_PER_ROW + SPARE_BYTES
    free = shutil.disk_usage(home).free
    if free < needed:
        raise CacheFull(
            f"history of {sum(rows):,} rows at most needs about {needed / _MB:,.0f} MB in {home}, and "
            f"{free / _MB:,.0f} MB are free: free some space, or ask for fewer months, series or groups"
        )
