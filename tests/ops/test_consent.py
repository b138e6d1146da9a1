"""What a person is asked before the first repos are made, and told once the stack is up."""

import socket
from pathlib import Path

import pytest

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import HubRefused, SettingsError
from datahub_assets.ops.commands import consent
from datahub_assets.ops.commands.up import welcome
from datahub_assets.ops.errors import NotAgreed
from datahub_assets.ops.supervise import stack
from datahub_assets.settings import Settings
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.ops.conftest import settings_of

SECRET = "hf_averysecrettoken"


def test_consent_is_asked_once_and_names_account_and_repos(tmp_path: Path) -> None:
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    with HubServer(tmp_path / "hub") as server:
        token = server.add_user("alice")
        settings = settings_of(tmp_path, HF_TOKEN=token, HF_ENDPOINT=server.url)
        consent.make_sure(settings, ask=yes)
        consent.make_sure(settings, ask=yes)
        assert len(asked) == 1
        assert "alice/crypto-market-data" in asked[0]
        assert "alice/crypto-ohlc-data" in asked[0]
        assert server.url in asked[0]


def test_consent_is_not_needed_where_repos_exist_or_nobody_can_be_asked(tmp_path: Path) -> None:
    def never(_question: str) -> bool:
        raise AssertionError("asked")

    with HubServer(tmp_path / "hub") as server:
        token = server.add_user("bob")
        settings = settings_of(tmp_path, HF_TOKEN=token, HF_ENDPOINT=server.url)
        consent.make_sure(settings, ask=None)
        hub = Hub(server.url, token)
        for spec in DATASETS.values():
            hub.create(spec)
        consent.make_sure(settings, ask=never)
    consent.make_sure(settings_of(tmp_path), ask=never)


@pytest.mark.parametrize("names", [{}, {"HF_USERNAME": "alice"}])
def test_a_token_the_hub_refuses_stops_the_start_though_nobody_can_be_asked(
    tmp_path: Path, names: dict[str, str]
) -> None:
    with HubServer(tmp_path / "hub") as server:
        settings = settings_of(tmp_path, HF_TOKEN=SECRET, HF_ENDPOINT=server.url, **names)
        with pytest.raises(HubRefused) as caught:
            consent.make_sure(settings, ask=None)
        assert SECRET not in str(caught.value)


def test_a_hub_elsewhere_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HF_TOKEN=unset"):
        consent.make_sure(settings_of(tmp_path, HF_ENDPOINT="http://127.0.0.1:1"), ask=None)


def test_no_is_respected_and_asked_again_next_time(tmp_path: Path) -> None:
    with HubServer(tmp_path / "hub") as server:
        settings = settings_of(tmp_path, HF_TOKEN=server.add_user("carol"), HF_ENDPOINT=server.url)
        for _ in range(2):
            with pytest.raises(NotAgreed, match="nothing was started"):
                consent.make_sure(settings, ask=lambda _question: False)


def test_a_hub_out_of_reach_does_not_stand_for_a_yes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    settings = settings_of(tmp_path, HF_TOKEN=SECRET, HF_ENDPOINT=endpoint, HF_USERNAME="dora")
    with pytest.raises(NotAgreed):
        consent.make_sure(settings, ask=lambda question: "dora/crypto-ohlc-data" not in question)


def test_the_welcome_has_a_command_to_try_and_no_token(tmp_path: Path) -> None:
    own = "\n".join(welcome(settings_of(tmp_path)))
    assert (
        f'curl -H "Authorization: Bearer $(cat {tmp_path / "token"})" "http://127.0.0.1:7860/api/hub/market?symbols=BTC,ETH"'
        in own
    )
    theirs = "\n".join(welcome(settings_of(tmp_path, HF_TOKEN=SECRET)))
    assert "$HF_TOKEN" in theirs
    assert SECRET not in theirs


def test_the_stack_listens_where_people_reach_it() -> None:
    anywhere = "0.0.0.0"  # noqa: S104 - nothing listens in this test
    assert stack.reachable_host(anywhere) == "127.0.0.1"
    shared = Settings.from_env({"DATAHUB_BIND_HOST": "::"})
    assert (stack.api_url(shared), stack.dagster_url(shared)) == ("http://[::1]:7860", "http://127.0.0.1:3000")
    assert stack.hub_host(Settings.from_env({"DATAHUB_BIND_HOST": anywhere})) == anywhere
    assert stack.hub_host(Settings.from_env({"DATAHUB_BIND_HOST": "192.0.2.7"})) == "127.0.0.1"
