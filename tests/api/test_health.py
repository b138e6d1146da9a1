"""What health and metrics say of the workers, by the file they leave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import Workers


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


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"chains": {"ohlc": 3}}', b"\x00" * 100])
def test_a_file_nobody_can_read_is_told_and_breaks_nothing(api: Client, home: Path, content: bytes) -> None:
    (home / "worker-status.json").write_bytes(content)
    health = api.get("/api/health")
    assert health.status_code == 200
    assert any(reason.startswith("workers: worker-status.json cannot be read") for reason in health.json()["reasons"])
    metrics = api.get("/metrics")
    assert metrics.status_code == 200
    assert "datahub_rows" in metrics.text
