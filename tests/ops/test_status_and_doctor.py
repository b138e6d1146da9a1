"""`datahub status` and `datahub doctor`: what they say of a hub that is well, and of what is not."""

import re
import socket
import time
from dataclasses import replace

import pytest
from huggingface_hub import HfApi

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.publish import losses
from datahub_assets.stores.worker_status import WorkerStatusFile
from tests.ops.cli import datahub
from tests.ops.conftest import System


def test_status_before_anything_ran_says_so_and_creates_nothing(system: System) -> None:
    result = datahub("status", env=system.environ)
    assert result.exit_code == 1
    assert "market: nothing has been published yet" in result.output
    assert not system.settings.cache_path.exists()


def test_status_of_a_hub_that_is_well(system: System) -> None:
    system.tick()
    result = datahub("status", env=system.environ)
    assert result.exit_code == 0
    for shown in ("market", "ohlc", "rows on the Hub", "newest row", "lag", "last commit", "open gaps"):
        assert shown in result.output
    head = HfApi(endpoint=system.server.url).dataset_info("alice/crypto-ohlc-data").sha or "?"
    assert head[:12] in result.output


def test_status_tells_the_last_error_and_long_histories(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.tick()
    monkeypatch.setattr("datahub_assets.ops.commands.status.MANY_COMMITS", 0)
    settings = system.settings
    WorkerStatusFile(settings.home).failed("market", code="source_unavailable", message="no answer", now_ms=0)
    result = datahub("status", env=system.environ)
    assert result.exit_code == 1
    assert "market: source_unavailable: no answer" in result.output
    assert "datahub hub squash" in result.output
    assert "hub_maintenance_schedule" in result.output


def test_the_embedded_hub_is_not_said_to_have_long_histories(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.tick()
    port = system.server.url.rsplit(":", maxsplit=1)[1]
    embedded = {**system.environ, "HF_TOKEN": "", "HF_ENDPOINT": "", "DATAHUB_LOCALHUB_PORT": port}
    monkeypatch.setattr("datahub_assets.ops.commands.status.MANY_COMMITS", 0)
    monkeypatch.setattr("datahub_assets.ops.commands.doctor.checks.MANY_COMMITS", 0)
    assert "hub squash" not in datahub("status", env=embedded).output
    ports = {"DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}
    assert "hub squash" not in datahub("doctor", env={**embedded, **ports}).output
    assert "hub squash" in datahub("doctor", env={**system.environ, **ports}).output


def test_status_warns_of_rows_the_hub_lost(system: System) -> None:
    system.tick()
    with Cache.open(system.settings.cache_path) as cache:
        seen = cache.repo(OHLC).load()
        assert seen is not None
        losses.note_lost(OHLC, known=replace(seen, rows=(seen.rows or 0) + 1234), seen=seen, cache=cache)
    result = datahub("status", env=system.environ)
    assert result.exit_code == 1
    assert "ohlc: 1,234 rows that were on the Hub are gone there" in result.output
    assert "market: " not in result.output


def test_status_and_doctor_do_not_wait_for_a_hub_that_hangs(system: System) -> None:
    system.tick()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {**system.environ, "HF_ENDPOINT": endpoint}
        started = time.monotonic()
        shown = datahub("status", env=environ)
        took_s = time.monotonic() - started
        started = time.monotonic()
        lines = datahub("doctor", env={**environ, "DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}).output
        doctor_s = time.monotonic() - started
    assert shown.exit_code == 1
    assert f"the Hub {endpoint} does not answer" in shown.output
    assert re.search(r"rows on the Hub .* 10 ", shown.output), "the rest is told by the cache"
    assert took_s < 8
    assert doctor_s < 15
    assert lines.count(f"the Hub {endpoint} does not answer") == 4


def test_status_asks_the_cache_whose_the_datasets_are(system: System) -> None:
    system.tick()
    system.server.faults.answer(503, error="down", on="whoami", times=100)
    assert datahub("status", env=system.environ).exit_code == 0


def test_status_tells_of_a_damaged_worker_status(system: System) -> None:
    system.tick()
    WorkerStatusFile(system.settings.home).path.write_text("[]")
    result = datahub("status", env=system.environ)
    assert result.exit_code == 1
    assert "worker-status.json cannot be read" in result.output
    assert "nothing has been published yet" not in result.output, "the cache knows better"
    WorkerStatusFile(system.settings.home).path.unlink()
    assert datahub("status", env=system.environ).exit_code == 0


def test_doctor_says_what_is_well_and_how_to_fix_what_is_not(system: System) -> None:
    system.tick()
    result = datahub("doctor", env={**system.environ, "DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"})
    assert result.exit_code == 1
    lines = dict(line.split(": ", 1) for line in result.output.splitlines() if line.startswith(("ok", "FAIL")))
    assert {name for name in lines if name.startswith("ok")} == {
        "ok    disk",
        "ok    cache",
        "ok    coingecko",
        "ok    binance",
        "ok    hub account",
        "ok    publish and read back",
        "ok    datasets",
        "ok    histories",
        "ok    worker status",
        "ok    ticks",
        "ok    warnings",
        "ok    clock",
    }
    assert {name for name in lines if name.startswith("FAIL")} == {
        "FAIL  running",
        "FAIL  api",
        "FAIL  api with token",
        "FAIL  dagster",
    }
    assert result.output.count("fix: ") == 4
    assert "fix: start it: make up" in result.output
    assert (
        len(list(HfApi(endpoint=system.server.url, token=system.environ["HF_TOKEN"]).list_datasets(author="alice")))
        == 2
    )


def test_doctor_finds_upstreams_hub_and_cache_out_of_order(system: System) -> None:
    system.coingecko.fail("firewall", times=None)
    system.binance.fail("region_blocked", times=None)
    system.settings.cache_path.write_bytes(b"not a database" * 1000)
    system.server.stop()
    try:
        result = datahub("doctor", env={**system.environ, "DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"})
    finally:
        system.server.start()
    failed = {line[6:].split(":")[0] for line in result.output.splitlines() if line.startswith("FAIL")}
    assert {"coingecko", "binance", "hub account", "publish and read back", "datasets", "cache"} <= failed
    assert "HTTP 403" in result.output
    assert "HTTP 451" in result.output
    assert "fix: datahub cache rebuild" in result.output


def test_doctor_on_a_fresh_home_advises_to_start(system: System) -> None:
    lines = datahub("doctor", env={**system.environ, "DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}).output
    advice = dict(re.findall(r"^FAIL  (.+?): .*\n +fix: (.+)$", lines, flags=re.MULTILINE))
    assert advice["cache"] == "the first tick makes it: make up (or: datahub up)"
    assert "rebuild" not in lines
