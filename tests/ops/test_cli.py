"""The command line: what it prints, how it exits, and that each command explains itself."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from datahub_assets.cli import main
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings_table import setting_rows
from tests.ops.cli import datahub


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


def test_localhub_gets_its_arguments_as_they_are() -> None:
    command = [sys.executable, "-m", "datahub_assets.cli", "localhub", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--webhook-url" in done.stdout
    wrong = subprocess.run([*command[:-2], "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
