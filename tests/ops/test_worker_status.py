"""The file that tells the rest of the product how the workers are."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datahub_assets.domain.times import iso
from datahub_assets.stores.worker_status import WorkerStatusFile

NOON_MS = 1_763_985_600_000


@pytest.mark.parametrize(
    ("time_ms", "text"), [(NOON_MS, "2025-11-24T12:00:00.000Z"), (None, None), (1, "1970-01-01T00:00:00.001Z")]
)
def test_times_are_iso_utc(time_ms: int | None, text: str | None) -> None:
    assert iso(time_ms) == text


def test_a_missing_file_is_no_run_yet(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    assert status.read() == {"chains": {}, "written_at": None}
    assert status.chain("market")["last_tick"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_success_clears_the_error_and_keeps_the_rest(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.ticked("market", now_ms=NOON_MS)
    status.failed("market", code="hub_busy", message="x" * 10_000, now_ms=NOON_MS + 1)
    error = status.chain("market")["last_error"]
    assert error["code"] == "hub_busy"
    assert error["at"] == iso(NOON_MS + 1)
    assert len(error["message"]) == 500
    status.succeeded("market", {"rows": 7}, now_ms=NOON_MS + 2)
    chain = status.chain("market")
    assert (chain["rows"], chain["last_error"]) == (7, None)
    assert chain["last_tick"] == iso(NOON_MS)
    assert status.read()["written_at"] == iso(NOON_MS + 2)


def test_chains_that_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        WorkerStatusFile(tmp_path).succeeded(f"chain{number % 4}", {f"fact{number}": number}, now_ms=NOON_MS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    chains = WorkerStatusFile(tmp_path).read()["chains"]
    facts = {name: value for chain in chains.values() for name, value in chain.items() if name.startswith("fact")}
    assert facts == {f"fact{number}": number for number in range(80)}


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
    status.path.with_suffix(".partial").symlink_to("/dev/full")
    status.failed("market", code="cache_full", message="no space left", now_ms=NOON_MS + 1)
    assert "No space left" in caplog.text
    assert status.chain("market")["last_tick"] == iso(NOON_MS)


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
    ],
)
def test_a_damaged_file_counts_as_none_and_is_written_anew(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = WorkerStatusFile(tmp_path)
    status.path.write_bytes(content)
    assert status.read() == {"chains": {}, "written_at": None}
    assert status.chain("market")["last_success"] is None
    assert str(status.path) in str(status.problem())
    for number in range(3):
        status.ticked("market", now_ms=NOON_MS + number)
    assert status.chain("market")["last_tick"] == iso(NOON_MS + 2)
    assert status.problem() is None
    assert caplog.text.count("is written anew") == 1


def test_something_else_of_that_name_is_no_error_of_the_chain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    status = WorkerStatusFile(tmp_path)
    status.path.mkdir()
    status.ticked("market", now_ms=NOON_MS)
    assert status.chain("market")["last_tick"] is None
    assert "Is a directory" in str(status.problem())
    assert "could not write" in caplog.text


def test_an_error_whose_cause_is_gone_is_not_told_any_more(tmp_path: Path) -> None:
    status = WorkerStatusFile(tmp_path)
    status.resolved("market", code="cache_unusable", now_ms=NOON_MS)
    assert status.read()["chains"] == {}
    status.failed("market", code="hub_busy", message="later", now_ms=NOON_MS)
    status.resolved("market", code="cache_unusable", now_ms=NOON_MS)
    assert status.chain("market")["last_error"]["code"] == "hub_busy"
    status.resolved("market", code="hub_busy", now_ms=NOON_MS)
    assert status.chain("market")["last_error"] is None
