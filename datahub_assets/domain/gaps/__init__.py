"""Which rows of a series are missing, for series with a row at every step of a grid.

grid                    gaps as rows arrive, time passes and upstream answers
told                    gaps somebody else told of
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
    quarantine,
    refused,
)
from datahub_assets.domain.gaps.told import informed, refuted

__all__ = [
    "ASK_AGAIN_MS",
    "TAIL_GRACE_MS",
    "Cause",
    "CoverageChange",
    "GridCoverage",
    "GridGap",
    "arrive",
    "asked",
    "expected_until",
    "extend",
    "informed",
    "quarantine",
    "refused",
    "refuted",
]
