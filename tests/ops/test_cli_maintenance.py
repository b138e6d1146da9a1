"""`datahub cache rebuild` and `datahub hub squash`, and what may be deleted by hand."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.stores.history import reports
from datahub_assets.stores.publish import work
from datahub_assets.stores.worker_status import WorkerStatusFile
from tests.ops.cli import datahub
from tests.ops.conftest import System


def test_the_cache_is_rebuilt_from_the_hub(system: System) -> None:
    system.tick()
    system.settings.cache_path.write_bytes(b"not a database" * 1000)
    told = WorkerStatusFile(system.settings.home)
    told.failed("market", code="cache_unusable", message="the cache is damaged: rebuild it", now_ms=0)
    told.failed("ohlc", code="source_blocked", message="firewall", now_ms=0)
    assert datahub("cache", "rebuild", env=system.environ, answer="n\n").exit_code == 1
    result = datahub("cache", "rebuild", "--yes", env=system.environ)
    assert result.exit_code == 0
    assert "ohlc: 10 rows taken from the Hub" in result.output
    result = datahub("status", env=system.environ)
    assert "is damaged" not in result.output
    assert "source_blocked: firewall" in result.output, "a new cache does not mend that"
    told.resolved("ohlc", code="source_blocked", now_ms=0)
    assert datahub("status", env=system.environ).exit_code == 0


def test_the_cache_is_not_rebuilt_under_a_running_hub(system: System) -> None:
    with home_lock.held(system.settings.home):
        result = datahub("cache", "rebuild", "--yes", env=system.environ)
    assert result.exit_code == 1
    assert "in use by another `datahub up`" in result.output


def test_squash_explains_asks_and_leaves_one_commit(system: System) -> None:
    system.tick()
    api = HfApi(endpoint=system.server.url)
    assert len(api.list_repo_commits("alice/crypto-market-data", repo_type="dataset")) > 1
    asked = datahub("hub", "squash", "--dataset", "market", env=system.environ, answer="n\n")
    assert asked.exit_code == 1
    assert "cannot be undone" in asked.output
    assert len(api.list_repo_commits("alice/crypto-market-data", repo_type="dataset")) > 1
    result = datahub("hub", "squash", "--dataset", "market", "--yes", env=system.environ)
    assert result.exit_code == 0
    assert len(api.list_repo_commits("alice/crypto-market-data", repo_type="dataset")) == 1
    (tag,) = api.list_repo_refs("alice/crypto-market-data", repo_type="dataset").tags
    assert tag.name in result.output
    wrong = datahub("hub", "squash", "--dataset", "weather", "--yes", env=system.environ)
    assert wrong.exit_code == 1
    assert "no dataset 'weather'; there are market, ohlc, listings, news, blocks, network" in wrong.output


def test_the_readme_says_of_every_store_whether_it_may_be_deleted(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    may, never = text.split("## When something is broken")[1].split("\n## ")[0].split("Never delete these")
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path)})
    told = [set(re.findall(r"^\| `([a-z0-9.-]+)/?`", part, flags=re.MULTILINE)) for part in (may, never)]
    assert told == [
        {
            settings.dagster_home.name,
            settings.snapshots_path.name,
            WorkerStatusFile(tmp_path).path.name,
            work.FOLDER,
            reports.FOLDER,
        },
        {settings.cache_path.name, settings.landing_path.name, settings.localhub_home.name},
    ]


def test_the_embedded_hub_is_started_for_a_rebuild_and_stopped_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    env = {**os.environ, "DATAHUB_HOME": str(tmp_path), "DATAHUB_LOCALHUB_PORT": port}
    command = [sys.executable, "-m", "datahub_assets.cli", "cache", "rebuild", "--yes"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "market: 0 rows taken from the Hub" in done.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=1)
