"""Which rows make up the full and the quick run, in order; each row's own module says what it measures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.history import history_beside_live, history_fill, history_rest
from benchmarks.measuring.results import Row
from benchmarks.measuring.rounds import FULL, QUICK, Effort
from benchmarks.rows import (
    bulk,
    cold,
    exchange,
    fetch,
    freshness,
    growth,
    hot,
    many_files,
    mixed,
    not_modified,
    refresh,
    sql,
)
from benchmarks.servers.world import World, world

WorldMeasure = Callable[[World, Effort], list[Row]]
StackMeasure = Callable[[Effort], list[Row]]


@dataclass(frozen=True, slots=True)
class Suite:
    """A run: rows over the shared world (the one that commits last), then rows that start a stack of their own."""

    name: str
    effort: Effort
    worldly: Sequence[WorldMeasure]
    stacked: Sequence[StackMeasure]


QUICK_SUITE: Final = Suite(
    "quick",
    QUICK,
    (hot.measure, cold.measure, sql.measure, bulk.measure_arrow, not_modified.measure, refresh.measure),
    (many_files.measure,),
)
FULL_SUITE: Final = Suite(
    "full",
    FULL,
    (hot.measure, cold.measure, sql.measure, bulk.measure, not_modified.measure, refresh.measure),
    (
        many_files.measure,
        growth.measure,
        fetch.measure,
        mixed.measure,
        exchange.measure,
        freshness.measure,
        history_fill.measure,
        history_rest.measure,
        history_beside_live.measure,
    ),
)


def run(suite: Suite, *, only: frozenset[str] = frozenset()) -> Iterator[Row]:
    """All rows of the suite, or those of the modules named in `only`, each as soon as it is measured.

    Those that are named may also be the full suite's: with this one's effort.
    """
    worldly = _chosen(suite.worldly, FULL_SUITE.worldly, only)
    if worldly:
        with world() as everybody:
            for measure in worldly:
                _say(measure)
                yield from measure(everybody, suite.effort)
    for stacked in _chosen(suite.stacked, FULL_SUITE.stacked, only):
        _say(stacked)
        yield from stacked(suite.effort)


def _chosen(
    measures: Sequence[Callable[..., list[Row]]], others: Sequence[Callable[..., list[Row]]], only: frozenset[str]
) -> list[Callable[..., list[Row]]]:
    if not only:
        return list(measures)
    mine = {_name(measure): measure for measure in measures}
    return [mine.get(_name(measure), measure) for measure in others if _name(measure) in only]


def _name(measure: Callable[..., list[Row]]) -> str:
    return measure.__module__.rpartition(".")[2]


def _say(measure: Callable[..., list[Row]]) -> None:
    print(f"measuring {_name(measure).replace('_', ' ')} …", flush=True)


def names() -> list[str]:
    """What can be run alone: the modules of the full run's rows."""
    measures: list[Callable[..., list[Row]]] = [*FULL_SUITE.worldly, *FULL_SUITE.stacked]
    return [_name(measure) for measure in measures]
