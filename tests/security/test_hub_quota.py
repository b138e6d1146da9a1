"""How much may be uploaded to the embedded Hub: the quota, and the room that is kept free."""

from pathlib import Path

import pytest

from localhub.errors import LocalHubError
from localhub.store.disk.space import Space, StorageLimits
from tests.localhub.process import HubProcess
from tests.security.hub_requests import REPO, batch


def test_unfinished_uploads_count_against_the_quota(tmp_path: Path) -> None:
    space = Space(tmp_path, StorageLimits(quota_bytes=100, reserve_bytes=0))
    with space.reserve(60) as first:
        with pytest.raises(LocalHubError, match="quota"):
            space.reserve(50)
        first.written(10)
        with pytest.raises(LocalHubError, match="on their way"):
            space.reserve(50)
    with space.reserve(90), pytest.raises(LocalHubError, match="quota"):
        space.take(1)


def test_the_quota_is_an_option_of_the_server(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub", "--quota-gib", "0.01") as server, server.http() as http:
        server.api().create_repo(REPO, repo_type="dataset")
        assert batch(http, 2 * 10**7).status_code == 507
        assert "quota" in batch(http, 2 * 10**7).json()["error"]
        assert batch(http, 10**6).status_code == 200
    with HubProcess(tmp_path / "hub") as server, server.http() as http:
        assert batch(http, 2 * 10**7).status_code == 200
