"""`datahub token add`, `list`, `remove`: the API's own client tokens, whichever Hub it serves from."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.cli import datahub

HUBS: tuple[dict[str, str], ...] = ({}, {"HF_TOKEN": "hf_verysecret"})


def env_of(home: Path, hub: dict[str, str]) -> dict[str, str]:
    return {"DATAHUB_HOME": str(home), **hub}


@pytest.mark.parametrize("hub", HUBS)
def test_a_token_is_shown_once_and_kept_as_a_hash(tmp_path: Path, hub: dict[str, str]) -> None:
    env = env_of(tmp_path / "home", hub)
    made = datahub("token", "add", "laptop", env=env).output.strip()
    assert made.startswith("dhc_")
    assert made.isascii()
    assert len(made) == len("dhc_") + 43
    path = tmp_path / "home" / "client-tokens.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert made not in path.read_text()
    [kept] = json.loads(path.read_text())["tokens"]
    assert kept["sha256"] == hashlib.sha256(made.encode()).hexdigest()
    assert made not in datahub("token", "list", env=env).output


@pytest.mark.parametrize("hub", HUBS)
def test_tokens_are_listed_and_removed(tmp_path: Path, hub: dict[str, str]) -> None:
    env = env_of(tmp_path, hub)
    assert datahub("token", "list", env=env).output == ""
    tokens = {datahub("token", "add", "laptop", env=env).output, datahub("token", "add", "x", "--url", env=env).output}
    assert len(tokens) == 2
    lines = [line.split("\t") for line in datahub("token", "list", env=env).output.splitlines()]
    assert [(name, where) for name, _, where in lines] == [("laptop", "headers"), ("x", "headers and URLs")]
    taken = datahub("token", "add", "laptop", env=env)
    assert taken.exit_code == 1
    assert "To end it: datahub token remove laptop" in taken.output
    assert datahub("token", "remove", "laptop", env=env).exit_code == 0
    assert "laptop" not in datahub("token", "list", env=env).output
    again = datahub("token", "revoke", "laptop", env=env)
    assert again.exit_code == 1
    assert "there is no client token 'laptop'; there are: x" in again.output
    assert ("datahub token remove laptop --hub" in again.output) == (not hub)


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "ü", "x" * 65, "a\tb"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    refused = datahub("token", "add", "--", name, env=env_of(tmp_path, {}))
    assert refused.exit_code == 1
    assert "letters, digits" in refused.output
    assert not (tmp_path / "client-tokens.json").exists()


def test_tokens_of_a_hub_never_come_in_a_url(tmp_path: Path) -> None:
    refused = datahub("token", "add", "laptop", "--hub", "--url", env=env_of(tmp_path, {}))
    assert refused.exit_code == 2
    assert "never come in a URL" in refused.output


def test_a_file_that_is_none_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "client-tokens.json"
    path.write_text('{"tokens": [{"name": 1}]}')
    for arguments in (("add", "laptop"), ("list",), ("remove", "laptop")):
        refused = datahub("token", *arguments, env=env_of(tmp_path, {}))
        assert refused.exit_code == 1
        assert f"{path} cannot be understood" in refused.output
    assert path.read_text() == '{"tokens": [{"name": 1}]}'


def test_several_at_once_lose_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datahub_assets.cli", "token", "add"]
    env = {**os.environ, "DATAHUB_HOME": str(tmp_path)}
    running = [subprocess.Popen([*command, f"t{number}"], env=env, stdout=subprocess.PIPE) for number in range(4)]
    made = [process.communicate()[0] for process in running]
    kept = json.loads((tmp_path / "client-tokens.json").read_text())["tokens"]
    assert {one["sha256"] for one in kept} == {hashlib.sha256(one.strip()).hexdigest() for one in made}
    assert len(kept) == 4


def test_the_help_says_which_tokens_are_which() -> None:
    text = datahub("token", "--help").output
    assert "dhc_" in text
    assert "hf_" in text
    assert "--hub" in text
