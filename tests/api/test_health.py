"""What health and metrics say of the workers, by the file they leave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.health.service import read_worker_status
from datahub_assets.domain.times import utc_datetime
from datahub_assets.domain.worker_status import Chain, WorkerError
from datahub_assets.stores.worker_status import WorkerStatusFile
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import NOW_MS, Workers


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def api(hub: HubServer, seeded: Workers, home: Path) -> Iterator[Client]:
    with serving(hub, home) as client:
        yield client


def write(home: Path, **chain: Any) -> None:
    told = {"chains": {"ohlc": chain}, "written_at": "2026-11-22T12:00:01Z"}
    (home / "worker-status.json").write_text(json.dumps(told), encoding="utf-8")


def test_before_the_first_run_health_says_so(api: Client, home: Path) -> None:
    (home / "worker-status.json").unlink(missing_ok=True)
    assert "workers: no run yet" in api.get("/api/health").json()["reasons"]


def test_the_last_error_of_a_chain_is_a_reason(api: Client, home: Path) -> None:
    write(home, last_error={"code": "hub_busy", "message": "HTTP 503", "at": "2026-11-22T12:00:00Z"}, gaps_open=3)
    health = api.get("/api/health").json()
    assert health["status"] == "degraded"
    assert "ohlc: hub_busy: HTTP 503" in health["reasons"]
    assert 'datahub_gaps_open{chain="ohlc"} 3.0' in api.get("/metrics").text
    write(home, last_tick="2026-11-22T12:00:00Z", last_success="2026-11-22T12:00:01Z", last_error=None)
    assert not any(reason.startswith(("ohlc: hub", "workers")) for reason in api.get("/api/health").json()["reasons"])


def test_the_api_reads_what_the_workers_wrote(api: Client, home: Path) -> None:
    written = WorkerStatusFile(home)
    written.path.unlink(missing_ok=True)
    known = Chain(
        newest_row=utc_datetime(NOW_MS - 60_000),
        last_commit="abc",
        rows=7,
        rejected=1,
        commits_last_hour=2,
        gaps_open=3,
    )
    written.ticked("ohlc", now_ms=NOW_MS)
    written.succeeded("ohlc", known, now_ms=NOW_MS + 5)
    written.failed("ohlc", code="hub_busy", message="HTTP 503", now_ms=NOW_MS + 7)
    written.ticked("market", now_ms=NOW_MS)
    assert read_worker_status(home) == written.read()
    answered = msgspec.convert(api.get("/api/health").json()["chains"], dict[str, Chain])
    assert answered == written.read().chains
    assert answered["ohlc"] == msgspec.structs.replace(
        known,
        last_tick=utc_datetime(NOW_MS),
        last_success=utc_datetime(NOW_MS + 5),
        last_error=WorkerError("hub_busy", "HTTP 503", "2026-11-22T12:00:00.007Z"),
    )
    metrics = api.get("/metrics").text
    assert 'datahub_gaps_open{chain="ohlc"} 3.0' in metrics
    assert 'datahub_gaps_open{chain="market"}' not in metrics
    assert 'datahub_commits_last_hour{chain="ohlc"} 2.0' in metrics


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"chains": {"ohlc": 3}}', b"\x00" * 100, b'{"x": ' + b"[" * 100_000]
)
def test_a_file_nobody_can_read_is_told_and_breaks_nothing(api: Client, home: Path, content: bytes) -> None:
    (home / "worker-status.json").write_bytes(content)
    health = api.get("/api/health")
    assert health.status_code == 200
    assert any(reason.startswith("workers: worker-status.json cannot be read") for reason in health.json()["reasons"])
    metrics = api.get("/metrics")
    assert metrics.status_code == 200
    assert "datahub_rows" in metrics.text
