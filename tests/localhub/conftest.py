"""Fixtures for the embedded Hub: the real server over a fresh home, and real clients of it."""

import os

os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # read by huggingface_hub at import
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from collections.abc import Iterator

import httpx
import pytest
from huggingface_hub import HfApi

from localhub.testing import HubServer

REPO = "local/prices"


@pytest.fixture(scope="session")
def one_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("localhub") / "hub") as server:
        yield server


@pytest.fixture
def hub(one_hub: HubServer) -> Iterator[HubServer]:
    """A Hub as good as new."""
    yield one_hub
    one_hub.reset()


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


@pytest.fixture
def repo(api: HfApi) -> str:
    """An empty dataset repository of the owner's."""
    return api.create_repo(REPO, repo_type="dataset").repo_id


@pytest.fixture
def http(hub: HubServer) -> Iterator[httpx.Client]:
    """Plain HTTP to the Hub with the owner's token."""
    with httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {hub.token}"}) as client:
        yield client
