"""The file that tells the rest of the product how the workers are."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datahub_assets.ops.worker_status import WorkerStatus, iso

NOON_MS = 1_763_985_600_000


@pytest.mark.parametrize(
    ("time_ms", "text"), [(NOON_MS, "2025-11-24T12:00:00.000Z"), (None, None), (1, "1970-01-01T00:00:00.001Z")]
)
def test_times_are_iso_utc(time_ms: int | None, text: str | None) -> None:
    assert iso(time_ms) == text


def test_a_missing_file_is_no_run_yet(tmp_path: Path) -> None:
    status = WorkerStatus(tmp_path)
    assert status.read() == {"chains": {}, "written_at": None}
    assert status.chain("market")["last_tick"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_success_clears_the_error_and_keeps_the_rest(tmp_path: Path) -> None:
    status = WorkerStatus(tmp_path)
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
        WorkerStatus(tmp_path).succeeded(f"chain{number % 4}", {f"fact{number}": number}, now_ms=NOON_MS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    chains = WorkerStatus(tmp_path).read()["chains"]
    facts = {name: value for chain in chains.values() for name, value in chain.items() if name.startswith("fact")}
    assert facts == {f"fact{number}": number for number in range(80)}


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    status = WorkerStatus(tmp_path)
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
    status = WorkerStatus(tmp_path)
    status.ticked("market", now_ms=NOON_MS)
    status.path.with_suffix(".partial").symlink_to("/dev/full")
    status.failed("market", code="cache_full", message="no space left", now_ms=NOON_MS + 1)
    assert "No space left" in caplog.text
    assert status.chain("market")["last_tick"] == iso(NOON_MS)
