"""The stream against the OpenAPI schema: made-up requests for it begin as documented."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from schemathesis import GenerationMode

from localhub.testing import HubServer
from tests.api.schema.conftest import STREAM, made_up


@pytest.fixture
def caller(address: str, hub: HubServer) -> Iterator[httpx.Client]:
    token = {"Authorization": f"Bearer {hub.token}"}
    with httpx.Client(base_url=address, headers=token, timeout=20) as client:
        yield client


def begin(caller: httpx.Client, openapi: Any, *, examples: int) -> Counter[int]:
    """Begin streams with made-up requests, hold each answer against the schema, and count them by status."""
    operation = openapi[STREAM]["GET"]
    documented = openapi.raw_schema["paths"][STREAM]["get"]["responses"]
    seen: Counter[int] = Counter()
    for mode in GenerationMode:

        @made_up(examples=examples)
        @given(case=operation.as_strategy(generation_mode=mode))
        def begins_as_documented(case: Any) -> None:
            with caller.stream("GET", STREAM, params=case.query) as answer:
                seen[answer.status_code] += 1
                assert str(answer.status_code) in documented
                kind = answer.headers["content-type"].partition(";")[0]
                assert kind in documented[str(answer.status_code)]["content"]
                if answer.status_code == 200:
                    assert next(answer.iter_text()).startswith("retry: ")

        begins_as_documented()
    return seen


def test_streams_begin_as_documented(caller: httpx.Client, openapi: Any) -> None:
    seen = begin(caller, openapi, examples=15)
    assert seen[200]
    assert max(seen) < 500


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_streams_begin_as_documented_at_length(caller: httpx.Client, openapi: Any) -> None:
    assert max(begin(caller, openapi, examples=500)) < 500
