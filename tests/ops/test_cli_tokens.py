"""`datahub token`: the owner's token is shown where it may be; with `--hub`, clients get tokens of the embedded Hub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from localhub.testing import HubServer
from tests.ops.cli import datahub


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
    command = [sys.executable, "-m", "datahub_assets.cli", "token", *arguments, "--hub"]
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
    assert taken.stderr.endswith("There is a token 'laptop' already. To end it: datahub token remove laptop --hub\n")
    assert token(tmp_path, "remove", "laptop").returncode == 0
    assert token(tmp_path, "list").stdout == "phone\tphone\tread\n"
    again = token(tmp_path, "remove", "laptop")
    assert again.returncode == 1
    assert "there is no token 'laptop'; there are: phone" in again.stderr
    assert token(tmp_path, "add", "laptop").returncode == 0


def test_the_owners_own_name_is_not_for_clients(tmp_path: Path) -> None:
    refused = token(tmp_path, "add", "local")
    assert refused.returncode == 1
    assert "'local' is the owner of this Hub" in refused.stderr
    assert "Choose another name" in refused.stderr
    assert token(tmp_path, "list").stdout == ""


@pytest.mark.parametrize("arguments", [("add", "laptop"), ("list",), ("remove", "laptop")])
def test_tokens_of_another_hub_are_not_ours_to_make_or_end(arguments: tuple[str, ...]) -> None:
    elsewhere = datahub("token", *arguments, "--hub", env={"HF_TOKEN": "hf_verysecret"})
    assert elsewhere.exit_code == 1
    assert "your account's settings there" in elsewhere.output
