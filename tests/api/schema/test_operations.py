"""The OpenAPI schema tells the truth: whatever it allows is answered as it says, and nothing ends in a 5xx."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from localhub.testing import HubServer
from tests.api.schema.conftest import STREAM, made_up

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def check(openapi: Any, hub: HubServer, *, examples: int) -> None:
    """Call every operation with made-up requests the schema allows."""
    operations = [found.ok() for found in openapi.get_all_operations()]
    assert len(operations) > 8
    operations = [operation for operation in operations if operation.path != STREAM]
    for operation, mode in product(operations, GenerationMode):
        if mode is GenerationMode.NEGATIVE and not operation.query and not operation.body:
            continue  # nothing of it can be wrong

        @made_up(examples=examples)
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_as_documented(case: Any) -> None:
            case.headers = {}  # made-up header lines are refused by the HTTP parser, before the application
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {hub.token}"})

        answers_as_documented()


def test_every_answer_is_documented(openapi: Any, hub: HubServer) -> None:
    check(openapi, hub, examples=8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_answer_is_documented_at_length(openapi: Any, hub: HubServer) -> None:
    check(openapi, hub, examples=1000)
