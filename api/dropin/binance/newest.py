"""The newest candles of pairs: where they are is told by the files' indexes, and rows are looked up by time."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import polars as pl

from api.engine.selection.query import RowQuery
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from datahub_assets.datasets.candles.intervals import INTERVALS
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.times import DAY_MS, MINUTE_MS

Opens = Mapping[str, int]
"""Of one pair: the open time (epoch ms) of its newest candle, by interval."""
_FINENESS: Final = {name: rank for rank, name in enumerate(INTERVALS)}
_USUAL: Final = _FINENESS["1h"]
_MOST_A_DAY: Final = DAY_MS // MINUTE_MS


def newest_opens(snapshot: Snapshot, names: Collection[str]) -> dict[str, dict[str, int]]:
    """Of each of these pairs that has candles, its `Opens`. No file is read."""
    opens: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for group, files in snapshot.groups.items():
        wanted = snapshot.series[group].intersection(names)
        found: dict[str, int] = {}
        for file in files:  # those with the newest rows first
            if len(found) == len(wanted) and file.max_ms <= min(found.values(), default=0):
                break
            for name in wanted:
                span = file.index.spans.get(name)
                if span is not None:
                    found[name] = max(span.max_ms, found.get(name, span.max_ms))
        for name, at_ms in found.items():
            opens[name][str(group)] = at_ms
    return dict(opens)


def newest_interval(opens: Opens) -> str:
    """The interval whose newest candle opened last, the finest of several."""
    return max(opens, key=lambda name: (opens[name], -_FINENESS[name]))


def day_interval(opens: Opens) -> str:
    """The interval that a day is told by: 1h or the nearest to it, of those that have a candle of the newest time."""
    newest_ms = max(opens.values())
    return min(
        (name for name, at_ms in opens.items() if at_ms + INTERVALS[name].length_ms > newest_ms),
        key=lambda name: (abs(_FINENESS[name] - _USUAL), _FINENESS[name]),
    )


def newest_candles(
    snapshot: Snapshot,
    opens: Mapping[str, Opens],
    *,
    choose: Callable[[Opens], str],
    before_ms: int,
    columns: tuple[str, ...],
    resident_only: bool,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The newest candles of each pair in the interval that is chosen for it, back to `before_ms` before the newest one.

    Pairs whose newest candle opened at the same time come together: that time (epoch ms), and their rows in the order
    of time.

    Raises:
        NotResident, ClientDisconnected: as `rows_of`.
    """
    alike: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for name, of_pair in opens.items():
        chosen = choose(of_pair)
        alike[chosen, of_pair[chosen]].append(name)
    for (interval, newest_ms), names in alike.items():
        query = RowQuery(
            dataset=OHLC.name,
            filters=(("interval", (interval,)), ("symbol", tuple(sorted(names)))),
            columns=columns,
            limit=len(names) * (_MOST_A_DAY + 1),
            descending=False,
            start_ms=newest_ms - before_ms,
            end_ms=newest_ms + 1,
        )
        yield newest_ms, rows_of(snapshot, query, resident_only=resident_only).frame
