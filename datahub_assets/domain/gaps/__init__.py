"""Which rows of a series are missing, for series with a row at every step of a grid.

grid                    gaps as rows arrive, time passes and upstream answers
told                    gaps somebody else told of, or found by reading a time anew
"""

from datahub_assets.domain.gaps.grid import (
    ASK_AGAIN_MS,
    TAIL_GRACE_MS,
    Cause,
    CoverageChange,
    GridCoverage,
    GridGap,
    arrive,
    asked,
    expected_until,
    extend,
    heal,
    quarantine,
    refused,
)
from datahub_assets.domain.gaps.told import Run, came_within, informed, refuted, relearned, without_rows

__all__ = [
    "ASK_AGAIN_MS",
    "TAIL_GRACE_MS",
    "Cause",
    "CoverageChange",
    "GridCoverage",
    "GridGap",
    "Run",
    "arrive",
    "asked",
    "came_within",
    "expected_until",
    "extend",
    "heal",
    "informed",
    "quarantine",
    "refused",
    "refuted",
    "relearned",
    "without_rows",
]
