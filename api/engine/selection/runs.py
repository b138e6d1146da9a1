"""Runs of rows of many series in one file, searched together: a step of each search is one operation on arrays.

A run is the rows [first, last) of one series, in the order of their times. `first` and `last` hold one number a run.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from api.engine.conditions import Condition, holding
from api.engine.datafile import Rows
from api.http.disconnects import stop_if_left
from datahub_assets.datasets.spec import DatasetSpec

Numbers = npt.NDArray[np.int64]

_SCANNED_ROWS: Final = 4096
"""So many rows of a run a filter looks at first, at least."""
_GROWTH: Final = 4
"""It begins with so many times as many rows as are wanted, and goes on with so many times as many each further time."""


def reached(times: Numbers, first: Numbers, last: Numbers, at_ms: int) -> Numbers:
    """For each run, the first row that is not before this time (epoch ms); its `last` where there is none."""
    low, high = first.copy(), last.copy()
    searching = np.flatnonzero(low < high)
    while searching.size:
        middle = (low[searching] + high[searching]) >> 1
        is_before = times[middle] < at_ms
        low[searching[is_before]] = middle[is_before] + 1
        high[searching[~is_before]] = middle[~is_before]
        searching = searching[low[searching] < high[searching]]
    return low


def spread(first: Numbers, count: Numbers) -> tuple[Numbers, Numbers]:
    """The numbers of `count` rows of each run from `first` on, run by run; and for each of them that of its run."""
    ends = np.cumsum(count)
    of_run = np.repeat(np.arange(count.size), count)
    return np.arange(of_run.size) + np.repeat(first - (ends - count), count), of_run


def holding_in(
    rows: Rows,
    first: Numbers,
    last: Numbers,
    *,
    spec: DatasetSpec,
    where: Sequence[Condition],
    wanted: int,
    forward: bool,
) -> tuple[Numbers, Numbers]:
    """Rows of these runs, none empty, for which all conditions hold; as `spread` says them.

    The nearest `wanted` of each run are among them: it is looked at from its near end on, until so many are found or
    it is at its end.
    """
    filtered = rows.frame[list(dict.fromkeys(one.column for one, _ in where))]
    first, last = first.copy(), last.copy()
    missing, scanned = np.full(first.size, wanted), max(_SCANNED_ROWS, _GROWTH * wanted)
    found: list[tuple[Numbers, Numbers]] = []
    while (searching := np.flatnonzero((first < last) & (missing > 0))).size:
        stop_if_left()
        count = np.minimum(last[searching] - first[searching], scanned)
        begin = first[searching] if forward else last[searching] - count
        numbers, at = spread(begin, count)
        holds = holding(spec, where, filtered[numbers])
        of_run = searching[at[holds]]
        found.append((numbers[holds], of_run))
        missing -= np.bincount(of_run, minlength=missing.size)
        if forward:
            first[searching] += count
        else:
            last[searching] = begin
        scanned *= _GROWTH
    chosen, of_runs = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(chosen)
    return chosen[order], of_runs[order]
