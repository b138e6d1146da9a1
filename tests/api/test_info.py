"""What the endpoints that describe the hub say of requests they cannot take."""

import pytest

from tests.api.conftest import Client


@pytest.mark.parametrize("path", ["/api/hub/status", "/api/hub/health", "/api/health", "/metrics"])
def test_an_endpoint_without_parameters_says_that_it_takes_none(client: Client, path: str) -> None:
    problem = client.get(f"{path}?x=1").json()
    assert problem["code"] == "unknown_parameter"
    assert problem["detail"] == "unknown parameter x; this endpoint takes no parameters"
    assert problem["valid"] == []
