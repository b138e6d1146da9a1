"""Fifty thousand rows at once in each format, uncached, one answer at a time, and what that does to our memory."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

import psutil

from benchmarks.made.questions import BULK_ROWS, Bulk, Format, bulk
from benchmarks.measuring.ask import body_of
from benchmarks.measuring.equal import must_agree
from benchmarks.measuring.results import Row, against, ratio_at_least, ratio_at_most
from benchmarks.measuring.rounds import Effort, alternate
from benchmarks.servers.contestant import Contestant
from benchmarks.servers.world import World

_MEMORY: Final = "after the first round"


def measure(world: World, effort: Effort) -> list[Row]:
    """A row per format, rows a second against the best peer that speaks it; one row for our memory over all of them."""
    return [_format_row(world, effort, answer_format) for answer_format in Format] + [_memory_row(world, effort)]


def measure_arrow(world: World, effort: Effort) -> list[Row]:
    """Arrow alone, for the quick run."""
    return [_format_row(world, effort, Format.ARROW)]


def _format_row(world: World, effort: Effort, answer_format: Format) -> Row:
    asked = bulk((effort.rounds + 1) * effort.bulk_answers, seed=4, answer_format=answer_format)
    speakers = [one for one in world.contestants if one.bulk(asked[0]) is not None]
    must_agree([(one, _request(one, asked[0])) for one in speakers], of=answer_format, count=BULK_ROWS)
    measures = {one.name: _speed(one, asked, per_round=effort.bulk_answers) for one in speakers}
    seen = alternate(measures, rounds=effort.rounds)
    ours = seen.pop(world.product.name)
    work = f"{BULK_ROWS // 1000} k rows as {answer_format.value}"
    return against(work, ours, peers=seen, unit="rows/s", target=ratio_at_least(1))


def _request(one: Contestant, question: Bulk) -> bytes:
    request = one.bulk(question)
    assert request is not None, one.name  # noqa: S101 - only speakers of the format are asked
    return request


def _speed(one: Contestant, asked: Sequence[Bulk], *, per_round: int) -> Callable[[int], float]:
    """Rows a second: the median answer of a round, asked one after the other."""

    def measure(number: int) -> float:
        times = []
        for question in asked[number * per_round : (number + 1) * per_round]:
            started = time.perf_counter()
            body_of(one.server, _request(one, question))
            times.append(time.perf_counter() - started)
        return BULK_ROWS / statistics.median(times)

    return measure


def _memory_row(world: World, effort: Effort) -> Row:
    """Private memory of the API (with its workers) after each round of new bulk answers, against after the first."""
    rounds = effort.rounds + 1
    asked = [bulk(rounds * effort.bulk_answers, seed=5, answer_format=one) for one in Format]
    after: list[float] = []
    for number in range(rounds):
        for questions in asked:
            for question in questions[number * effort.bulk_answers : (number + 1) * effort.bulk_answers]:
                body_of(world.product.server, world.product.bulk(question))
        after.append(_private_mb(world.product.process))
    first = {_MEMORY: after[:1]}
    work = "private memory of the API while it sends 50 k rows again and again"
    return against(work, after[1:], peers=first, unit="MiB", target=ratio_at_most(1.1), less_is_better=True)


def _private_mb(process: psutil.Process) -> float:
    """Memory that is the process's and its children's alone: mapped files, which the system may drop, do not count."""
    everybody = (process, *process.children(recursive=True))
    return sum(one.memory_full_info().uss for one in everybody) / 2**20
