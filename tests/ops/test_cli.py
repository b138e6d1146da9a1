"""The command line: what it prints, how it exits, and that each command explains itself."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import HfApi

from datahub_assets.cli import main
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.settings_table import setting_rows
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.history import reports
from datahub_assets.stores.publish import losses, work
from datahub_assets.stores.worker_status import WorkerStatusFile
from localhub.testing import HubServer
from tests.ops.conftest import System


def datahub(*arguments: str, env: dict[str, str] | None = None, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), env=dict(env or {}), input=answer)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("command", [path for path in commands(main) if path != ("localhub",)], ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = datahub(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    if command[-1] not in {"cache", "hub"}:
        assert f"datahub {' '.join(command)}" in result.output.split("Examples:")[1]


def test_up_lists_every_setting() -> None:
    text = datahub("up", "--help").output
    assert all(row.variable in text and row.description in text for row in setting_rows())


def test_settings_prints_the_table() -> None:
    result = datahub("settings")
    assert all(f"{row.variable}  [{row.default}]" in result.output for row in setting_rows())


def test_datasets_are_listed_with_their_packages_and_repos() -> None:
    lines = [re.split(r" {2,}", line) for line in datahub("datasets").output.splitlines()]
    assert lines == [
        ["dataset", "title", "repo", "package"],
        ["market", "Crypto market data", "crypto-market-data", "datahub_assets.datasets.market"],
        ["ohlc", "Crypto candles (OHLC)", "crypto-ohlc-data", "datahub_assets.datasets.candles"],
        ["listings", "Binance listings through time", "crypto-listings", "datahub_assets.datasets.listings"],
        ["news", "Crypto news", "crypto-news", "datahub_assets.datasets.news"],
        ["blocks", "Blocks of Ethereum and Bitcoin", "crypto-chain-blocks", "datahub_assets.datasets.blocks"],
        [
            "network",
            "Fees and load of Ethereum and Bitcoin",
            "crypto-chain-network",
            "datahub_assets.datasets.network",
        ],
    ]


def test_a_wrong_setting_stops_with_its_name_value_and_what_is_valid() -> None:
    result = datahub("up", env={"DATAHUB_COINS": "0", "USE_MOCK_DATA": "true"})
    assert result.exit_code == 2
    assert "DATAHUB_COINS='0': must be a whole number from 1 to 5000" in result.output
    assert "USE_MOCK_DATA" in result.output
    assert "no mock data" in result.output


def test_up_names_a_taken_port_and_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = datahub("up", env={"DATAHUB_HOME": str(tmp_path), "DATAHUB_DAGSTER_PORT": port})
    assert result.exit_code == 1
    assert f"port {port} is taken by another process; set DATAHUB_DAGSTER_PORT" in result.output
    assert not (tmp_path / "dagster").exists()


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/below", "/" + "x" * 300])
@pytest.mark.parametrize("command", ["status", "doctor", "up", "token"])
def test_a_home_that_can_be_no_folder_is_a_wrong_setting(command: str, home: str) -> None:
    result = datahub(command, env={"DATAHUB_HOME": home})
    assert result.exit_code == 2
    assert result.output.startswith("datahub: DATAHUB_HOME=")
    assert home in result.output
    assert "must be a folder, or where one can be made" in result.output


def test_up_warns_of_a_misspelt_setting(tmp_path: Path) -> None:
    code = (
        "from datahub_assets.ops.commands import up; from datahub_assets.settings import Settings\n"
        "class None_:\n"
        "    def __init__(self, *_, **__): pass\n"
        "    def run(self): pass\n"
        "up.Supervisor = None_; up.up(Settings.from_env())"
    )
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        api, dagster = (str(server.getsockname()[1]) for server in (a, b))
    env = {**os.environ, "DATAHUB_HOME": str(tmp_path), "DATAHUB_COIN": "50", "HF_TOKEN": "hf_verysecret"}
    env |= {"HF_ENDPOINT": "http://127.0.0.1:9", "DATAHUB_API_PORT": api, "DATAHUB_DAGSTER_PORT": dagster}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning: DATAHUB_COIN is no setting and changes nothing; did you mean DATAHUB_COINS?" in done.stdout


def test_a_second_up_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with home_lock.held(tmp_path):
        result = datahub("up", env={"DATAHUB_HOME": str(tmp_path)})
    assert result.exit_code == 1
    assert f"in use by another `datahub up` (pid {os.getpid()})" in result.output


def test_the_token_is_printed_once_it_exists(tmp_path: Path) -> None:
    env = {"DATAHUB_HOME": str(tmp_path)}
    result = datahub("token", env=env)
    assert result.exit_code == 1
    assert "no token yet" in result.output
    (tmp_path / "token").write_text("hf_abcdef\n")
    assert datahub("token", env=env).output == "hf_abcdef\n"


def test_a_token_of_hugging_face_is_not_printed(tmp_path: Path) -> None:
    result = datahub("token", env={"DATAHUB_HOME": str(tmp_path), "HF_TOKEN": "hf_verysecret"})
    assert result.exit_code == 1
    assert "HF_TOKEN" in result.output
    assert "hf_verysecret" not in result.output


def token(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datahub_assets.cli", "token", *arguments]
    env = {**os.environ, "DATAHUB_HOME": str(home)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_tokens_for_clients_are_made_by_the_hub_and_may_only_read(tmp_path: Path) -> None:
    made = token(tmp_path, "add", "laptop").stdout.strip().splitlines()[-1]
    with HubServer(tmp_path / "hub") as server:
        who = HfApi(endpoint=server.url, token=made).whoami()
    assert who["name"] == "laptop"
    assert who["auth"]["accessToken"]["role"] == "read"


def test_tokens_are_listed_and_ended_by_the_command_a_taken_name_is_answered_with(tmp_path: Path) -> None:
    assert token(tmp_path, "list").stdout == ""
    for name in ("laptop", "phone"):
        assert token(tmp_path, "add", name).returncode == 0
    assert token(tmp_path, "list").stdout == "laptop\tlaptop\tread\nphone\tphone\tread\n"
    taken = token(tmp_path, "add", "laptop")
    assert taken.returncode == 1
    assert taken.stderr.endswith("There is a token 'laptop' already. To end it: datahub token revoke laptop\n")
    assert token(tmp_path, "revoke", "laptop").returncode == 0
    assert token(tmp_path, "list").stdout == "phone\tphone\tread\n"
    again = token(tmp_path, "revoke", "laptop")
    assert again.returncode == 1
    assert "there is no token 'laptop'; there are: phone" in again.stderr
    assert token(tmp_path, "add", "laptop").returncode == 0


def test_the_owners_own_name_is_not_for_clients(tmp_path: Path) -> None:
    refused = token(tmp_path, "add", "local")
    assert refused.returncode == 1
    assert "'local' is the owner of this Hub" in refused.stderr
    assert "Choose another name" in refused.stderr
    assert token(tmp_path, "list").stdout == ""


@pytest.mark.parametrize("arguments", [("add", "laptop"), ("list",), ("revoke", "laptop")])
def test_tokens_of_another_hub_are_not_ours_to_make_or_end(arguments: tuple[str, ...]) -> None:
    elsewhere = datahub("token", *arguments, env={"HF_TOKEN": "hf_verysecret"})
    assert elsewhere.exit_code == 1
    assert "your account's settings there" in elsewhere.output


def test_localhub_gets_its_arguments_as_they_are() -> None:
    command = [sys.executable, "-m", "datahub_assets.cli", "localhub", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--webhook-url" in done.stdout
    wrong = subprocess.run([*command[:-2], "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2


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
    monkeypatch.setattr("datahub_assets.ops.commands.doctor.MANY_COMMITS", 0)
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
