"""Repeats of a log message are left out and counted, and the limit itself stays small."""

import io
import logging
import time

import pytest

from datahub_system.net import log_limit
from datahub_system.net.log_limit import RepeatLimit, limit_repeats


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, None)
    return logging.LogRecord("x", logging.ERROR, __file__, 1, message, args, exc_info)


def test_repeats_are_left_out_and_counted(now: list[float]) -> None:
    limit = RepeatLimit(at_once=2, window_s=60)
    assert [limit.filter(record("%s failed", number)) for number in range(5)] == [True, True, False, False, False]
    now[0] = 60.0
    after = record("%s failed", 5)
    assert limit.filter(after)
    assert after.getMessage() == "5 failed [3 more like this were left out]"
    now[0] = 120.0
    later = record("%s failed", 6)
    assert limit.filter(later)
    assert later.getMessage() == "6 failed"


@pytest.mark.usefixtures("now")
def test_a_flood_hides_no_other_message() -> None:
    limit = RepeatLimit(at_once=1)
    same = "Exception in ASGI application"
    others = [record("other"), record(same, error=KeyError()), record(same, error=ValueError())]
    assert limit.filter(record(same))
    assert not limit.filter(record(same))
    assert all(limit.filter(other) for other in others)
    assert not limit.filter(record(same, error=KeyError("again")))


@pytest.mark.usefixtures("now")
def test_messages_that_all_differ_are_forgotten() -> None:
    limit = RepeatLimit(at_once=1, most_kinds=10)
    assert all(limit.filter(record(f"message {number}")) for number in range(100))
    assert not limit.filter(record("message 90")), "the newest are known"
    assert limit.filter(record("message 89"))


def test_the_root_loggers_handlers_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(written)])
    limit_repeats()
    for number in range(100):
        logging.getLogger("some.module").error("%d of a hundred", number)
    assert written.getvalue().splitlines() == [f"{number} of a hundred" for number in range(log_limit.AT_ONCE)]
