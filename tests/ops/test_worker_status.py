"""The file that tells the rest of the product how the workers are."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datahub_assets.domain.times import iso, utc_datetime
from datahub_assets.domain.worker_status import Chain, Notice, WorkerError, WorkerStatus
from datahub_assets.stores.worker_status import WorkerStatusFile

NOON_MS = 1_763_985_600_000


@pytest.mark.parametrize(
    ("time_ms", "text"), [(NOON_MS, "2025-11-24T12:00:00.000Z"), (None, None), (1, "1970-01-01T00:00:00.001Z")]
)
def test_times_are_iso_utc(time_ms: int | None, text: str | None) -> None:
    assert iso(time_ms) == text


def test_a_missing_file_is_no_run_yet(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    assert status.read() == WorkerStatus(chains={})
    assert status.chain("market").last_tick is None
    assert list(tmp_path.iterdir()) == []


def test_a_success_clears_the_error_and_keeps_the_rest(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.ticked("market", now_ms=NOON_MS)
    status.failed("market", code="hub_busy", message="x" * 10_000, now_ms=NOON_MS + 1)
    error = status.chain("market").last_error
    assert error is not None
    assert error.code == "hub_busy"
    assert error.at == iso(NOON_MS + 1)
    assert len(error.message) == 500
    status.succeeded("market", Chain(rows=7), now_ms=NOON_MS + 2)
    chain = status.chain("market")
    assert (chain.rows, chain.last_error) == (7, None)
    assert chain.last_tick == utc_datetime(NOON_MS)
    assert status.read().written_at == utc_datetime(NOON_MS + 2)


def test_waiting_for_the_hub_keeps_what_the_runs_left(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.succeeded("market", Chain(rows=7), now_ms=NOON_MS)
    status.ticked("market", now_ms=NOON_MS + 1)
    status.failed("market", code="hub_busy", message="later", now_ms=NOON_MS + 2)
    status.waited("market", Chain(rows=9, rejected=1), now_ms=NOON_MS + 3)
    error = WorkerError("hub_busy", "later", iso(NOON_MS + 2))
    assert status.chain("market") == Chain(
        last_tick=utc_datetime(NOON_MS + 1), last_success=utc_datetime(NOON_MS), last_error=error, rows=9, rejected=1
    )


def test_chains_that_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        status, chain = WorkerStatusFile(tmp_path), f"chain{number % 20}"
        match number // 20:
            case 0:
                status.ticked(chain, now_ms=NOON_MS)
            case 1:
                status.failed(chain, code=chain, message="", now_ms=NOON_MS)
            case _:
                status.waited(chain, Chain(rows=number % 20), now_ms=NOON_MS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [(number * 7) % 60 for number in range(60)]))
    chains = WorkerStatusFile(tmp_path).read().chains
    assert chains == {
        f"chain{number}": Chain(
            last_tick=utc_datetime(NOON_MS),
            last_error=WorkerError(f"chain{number}", "", iso(NOON_MS)),
            rows=number,
        )
        for number in range(20)
    }


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.ticked("market", now_ms=NOON_MS)

    def write() -> None:
        for number in range(200):
            status.ticked("market", now_ms=NOON_MS + number)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            assert "market" in json.loads(status.path.read_text())["chains"]
        writing.result()


def test_a_disk_that_refuses_the_change_is_no_error_of_the_chain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = WorkerStatusFile(tmp_path)
    status.ticked("market", now_ms=NOON_MS)
    status.path.with_name(f"{status.path.name}.partial").symlink_to("/dev/full")
    status.failed("market", code="cache_full", message="no space left", now_ms=NOON_MS + 1)
    assert "No space left" in caplog.text
    assert status.chain("market").last_tick == utc_datetime(NOON_MS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"chains"',
        b'{"market": null}',
        b'{"chains": null}',
        b'{"chains": {"market": null}}',
        b'{"chains": {"market": {"last_success": 7}}}',
        b'{"chains": {"market": {"last_tick": "yesterday"}}}',
        b'{"chains": {"market": {"last_tick": "2025-11-24T12:00:00"}}}',
        b'{"chains": {"market": {"last_error": "broken"}}}',
        b"[" * 100_000,
        b'{"chains": {}, "more": ' + b"[" * 100_000,
    ],
)
def test_a_damaged_file_counts_as_none_and_is_written_anew(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = WorkerStatusFile(tmp_path)
    status.path.write_bytes(content)
    assert status.read() == WorkerStatus(chains={})
    assert status.chain("market").last_success is None
    assert str(status.path) in str(status.problem())
    for number in range(3):
        status.ticked("market", now_ms=NOON_MS + number)
    assert status.chain("market").last_tick == utc_datetime(NOON_MS + 2)
    assert status.problem() is None
    assert caplog.text.count("is written anew") == 1


def test_something_else_of_that_name_is_no_error_of_the_chain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    status = WorkerStatusFile(tmp_path)
    status.path.mkdir()
    status.ticked("market", now_ms=NOON_MS)
    assert status.chain("market").last_tick is None
    assert "Is a directory" in str(status.problem())
    assert "could not write" in caplog.text


def test_an_error_whose_cause_is_gone_is_not_told_any_more(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.resolved("market", code="cache_unusable", now_ms=NOON_MS)
    assert status.read().chains == {}
    status.failed("market", code="hub_busy", message="later", now_ms=NOON_MS)
    status.resolved("market", code="cache_unusable", now_ms=NOON_MS)
    error = status.chain("market").last_error
    assert error is not None
    assert error.code == "hub_busy"
    status.resolved("market", code="hub_busy", now_ms=NOON_MS)
    assert status.chain("market").last_error is None


WRITTEN = """{
 "chains": {
  "ohlc": {
   "last_tick": "2025-11-24T12:00:00.000Z",
   "last_success": "2025-11-24T12:00:00.002Z",
   "last_error": {
    "code": "hub_busy",
    "message": "HTTP 503",
    "at": "2025-11-24T12:00:00.003Z"
   },
   "newest_row": "2025-11-24T11:59:00.000Z",
   "last_commit": "abc",
   "rows": 7,
   "rejected": 1,
   "commits_last_hour": 2,
   "gaps_open": 3,
   "notices": [
    {
     "step": "ohlc_candles",
     "text": "no such pair",
     "level": 30,
     "since": "2025-11-24T12:00:00.000Z",
     "told_at": "2025-11-24T12:00:00.000Z",
     "held": false
    }
   ]
  },
  "market": {
   "last_tick": "2025-11-24T12:00:00.004Z",
   "last_success": null,
   "last_error": null,
   "newest_row": null,
   "last_commit": null,
   "rows": 0,
   "rejected": 0,
   "commits_last_hour": 0,
   "gaps_open": null,
   "notices": []
  }
 },
 "written_at": "2025-11-24T12:00:00.004Z"
}"""


def test_the_content_of_the_file_is_as_documented(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    known = Chain(
        newest_row=utc_datetime(NOON_MS - 60_000),
        last_commit="abc",
        rows=7,
        rejected=1,
        commits_last_hour=2,
        gaps_open=3,
    )
    status.ticked("ohlc", now_ms=NOON_MS)
    now = utc_datetime(NOON_MS)
    notice = Notice(step="ohlc_candles", text="no such pair", level=30, since=now, told_at=now)
    status.noticed("ohlc", "ohlc_candles", (notice,), now_ms=NOON_MS + 1)
    status.succeeded("ohlc", known, now_ms=NOON_MS + 2)
    status.failed("ohlc", code="hub_busy", message="HTTP 503", now_ms=NOON_MS + 3)
    status.ticked("market", now_ms=NOON_MS + 4)
    assert status.path.read_text() == WRITTEN


def test_a_file_with_more_or_less_than_the_schema_can_be_read(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    told = {"chains": {"market": {"last_tick": "2025-11-24T12:00:00Z", "mood": "good"}}, "host": "here"}
    status.path.write_text(json.dumps(told))
    assert status.problem() is None
    assert status.read() == WorkerStatus(chains={"market": Chain(last_tick=utc_datetime(NOON_MS))})
