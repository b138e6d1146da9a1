"""The OpenAPI schema tells the truth: whatever it allows is answered as it says, and nothing ends in a 5xx."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from localhub.testing import HubServer
from tests.api.test_process import serving_process
from tests.api.workers import Workers

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def address(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as url:
        yield url


@pytest.fixture(scope="module")
def openapi(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/schema/openapi.json")


def check(openapi: Any, hub: HubServer, *, examples: int) -> None:
    """Call every operation with made-up requests the schema allows."""
    operations = [found.ok() for found in openapi.get_all_operations()]
    assert len(operations) > 8
    # A stream has no end to wait for; `test_schemathesis` holds its beginning against the schema.
    operations = [operation for operation in operations if operation.path != "/api/hub/stream"]
    for operation, mode in product(operations, GenerationMode):
        if mode is GenerationMode.NEGATIVE and not operation.query and not operation.body:
            continue  # nothing of it can be wrong

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_as_documented(case: Any) -> None:
            case.headers = {}  # made-up header lines are refused by the HTTP parser, before the application
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {hub.token}"})

        answers_as_documented()


def test_every_answer_is_documented(openapi: Any, hub: HubServer) -> None:
    check(openapi, hub, examples=15)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_answer_is_documented_at_length(openapi: Any, hub: HubServer) -> None:
    check(openapi, hub, examples=1000)
