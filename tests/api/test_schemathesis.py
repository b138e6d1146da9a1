"""The stream against the OpenAPI schema: made-up requests for it begin as documented. The rest is in `test_schema`."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from localhub.testing import HubServer
from tests.api.test_process import serving_process
from tests.api.workers import Workers

STREAM = "/api/hub/stream"


@pytest.fixture(scope="module")
def address(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as url:
        yield url


def begin(address: str, hub: HubServer, *, examples: int) -> Counter[int]:
    """Begin streams with made-up requests, hold each answer against the schema, and count them by status."""
    openapi = schemathesis.openapi.from_url(f"{address}/schema/openapi.json")
    operation = openapi[STREAM]["GET"]
    documented = openapi.raw_schema["paths"][STREAM]["get"]["responses"]
    seen: Counter[int] = Counter()
    token = {"Authorization": f"Bearer {hub.token}"}
    with httpx.Client(base_url=address, headers=token, timeout=20) as client:
        for mode in GenerationMode:

            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.generate],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def begins_as_documented(case: Any) -> None:
                with client.stream("GET", STREAM, params=case.query) as answer:
                    seen[answer.status_code] += 1
                    assert str(answer.status_code) in documented
                    kind = answer.headers["content-type"].partition(";")[0]
                    assert kind in documented[str(answer.status_code)]["content"]
                    if answer.status_code == 200:
                        assert next(answer.iter_text()).startswith("retry: ")

            begins_as_documented()
    return seen


def test_streams_begin_as_documented(address: str, hub: HubServer) -> None:
    seen = begin(address, hub, examples=15)
    assert seen[200]
    assert max(seen) < 500


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_streams_begin_as_documented_at_length(address: str, hub: HubServer) -> None:
    assert max(begin(address, hub, examples=500)) < 500
