"""The API as it is run, the schema it gives of itself, and how requests for that are made up."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.workers import Workers

STREAM = "/api/hub/stream"
"""It has no end to wait for, so that only its beginning can be held against the schema."""


def made_up(*, examples: int) -> settings:
    """So many requests, the same ones in every run; one that fails is shown as it is, not made smaller."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


@pytest.fixture(scope="module")
def address(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as url:
        yield url


@pytest.fixture(scope="module")
def openapi(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/schema/openapi.json")
