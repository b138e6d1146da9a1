"""What run after run warns of is told when it begins, once a day, and when it is over."""

import logging
from pathlib import Path

import pytest

from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.domain.worker_status import Chain
from datahub_assets.stores.step_log import AGAIN_MS, StepLog
from datahub_assets.stores.worker_status import WorkerStatusFile

NOON_MS = 1_763_985_600_000


class Runs:
    """Runs of a step, each with a log of its own, and the lines of them that a person sees."""

    def __init__(self, home: Path) -> None:
        self.file = WorkerStatusFile(home)
        self.now_ms = NOON_MS
        self.shown: list[str] = []
        self.all: list[str] = []
        self._target = logging.Logger("run")  # noqa: LOG001 - of this test alone
        handler = logging.Handler()
        handler.emit = self._take  # type: ignore[method-assign]
        self._target.addHandler(handler)

    def run(
        self, *warnings: str, step: str = "fetch", level: int = logging.WARNING, complete: bool = True
    ) -> list[str]:
        """A run a minute later that gives these warnings; what a person sees of them."""
        self.shown.clear()
        log = StepLog(self.file, chain="market", step=step, log=self._target, clock=lambda: self.now_ms)
        for warning in warnings:
            log.logger.log(level, "%s", warning)
        log.close_step(complete=complete)
        self.now_ms += MINUTE_MS
        return list(self.shown)

    def _take(self, record: logging.LogRecord) -> None:
        self.all.append(record.getMessage())
        if record.levelno > logging.DEBUG:
            self.shown.append(record.getMessage())


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_it_is_told_once_and_that_it_is_over(runs: Runs) -> None:
    assert runs.run("no coin 7") == ["no coin 7"]
    assert [runs.run("no coin 7") for _ in range(3)] == [[], [], []]
    assert runs.all == ["no coin 7"] * 4, "the logs keep it"
    assert runs.run() == ["over, since 2025-11-24 12:00:00 UTC it was so: no coin 7"]
    assert runs.run() == []
    assert runs.run("no coin 7") == ["no coin 7"], "it begins anew"


def test_it_is_told_again_once_a_day(runs: Runs) -> None:
    runs.run("no coin")
    told = []
    for minute in range(1, 2 * AGAIN_MS // HOUR_MS * 60, 10):
        runs.now_ms = NOON_MS + minute * MINUTE_MS
        told += runs.run("no coin")
    assert told == ["no coin"]


def test_numbers_and_ids_make_no_other_warning_of_it(runs: Runs) -> None:
    runs.run("gaps.parquet at 1a2b3c4d5e: 21 rows")
    assert runs.run("gaps.parquet at 99ffee12ab: 22 rows") == []
    assert runs.run("coins.parquet at 99ffee12ab: 22 rows") == [
        "coins.parquet at 99ffee12ab: 22 rows",
        "over, since 2025-11-24 12:00:00 UTC it was so: gaps.parquet at 1a2b3c4d5e: 21 rows",
    ]


def test_what_one_run_alone_warned_of_is_not_over_with_a_line(runs: Runs) -> None:
    runs.run("publishing again")
    assert runs.run() == []


def test_worse_news_are_told(runs: Runs) -> None:
    runs.run("no answer")
    assert runs.run("no answer", level=logging.ERROR) == ["no answer"]
    assert runs.run("no answer", level=logging.ERROR) == []


def test_of_a_step_that_failed_nothing_is_over(runs: Runs) -> None:
    for _ in range(2):
        runs.run("no coin")
    assert runs.run("no answer", complete=False) == ["no answer"]
    assert runs.run("no coin") == [], "it was so all the time"


def test_lines_of_other_steps_and_plain_ones_are_left_alone(runs: Runs) -> None:
    runs.run("no coin")
    assert runs.run("no coin", step="publish") == ["no coin"]
    assert [runs.run("fetched 20 coins", level=logging.INFO) for _ in range(2)] == [["fetched 20 coins"]] * 2


def test_a_clock_that_was_ahead_silences_nothing(runs: Runs) -> None:
    runs.now_ms += 30 * AGAIN_MS
    runs.run("no coin")
    runs.now_ms = NOON_MS
    assert runs.run("no coin") == ["no coin"]


def test_what_holds_stands_in_the_worker_status_and_outlives_a_success(runs: Runs) -> None:
    runs.run("no coin")
    assert runs.file.chain("market").warnings == [], "one run may be an accident"
    runs.run("no coin")
    for note in (runs.file.succeeded, runs.file.waited):
        note("market", Chain(rows=7), now_ms=runs.now_ms)
        assert runs.file.chain("market").warnings == ["no coin"]
    runs.run()
    assert runs.file.chain("market").warnings == []
