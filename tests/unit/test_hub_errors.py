"""A Hub's refusal is the same error whoever asked: the workers through huggingface_hub, or the API by itself."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.engine.hub.reader import HubReader
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import (
    HubBusy,
    HubConflict,
    HubError,
    HubNotFound,
    HubRateLimited,
    HubRefused,
    HubUnavailable,
)
from datahub_assets.stores.hub.client import Hub
from tests.serving import served

TOKEN = "hf_" + "x" * 34


class Refusal:
    """An application that refuses everything the same way."""

    status = 500
    headers: dict[str, str] = {}  # noqa: RUF012 - set anew by each test

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no", self.status, self.headers)(scope, receive, send)


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[Refusal, str]]:
    app = Refusal()
    with served(app) as (host, port):
        yield app, f"http://{host}:{port}"


def by_huggingface_hub(endpoint: str) -> None:
    Hub(endpoint, TOKEN, "local").head(MARKET)


def by_the_api(endpoint: str) -> None:
    with closing(HubReader(endpoint, token=lambda: TOKEN)) as reader:
        reader.head(f"local/{MARKET.repo_name}")


BOTH = pytest.mark.parametrize("ask", [by_huggingface_hub, by_the_api])
CREDENTIALS = {"X-Error-Message": "Invalid credentials in Authorization header"}


@BOTH
@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, CREDENTIALS, HubRefused),
        (401, {"X-Error-Code": "RepoNotFound"}, HubNotFound),
        (403, {}, HubRefused),
        (403, {"X-Error-Code": "RepoNotFound"}, HubNotFound),
        (404, {}, HubNotFound),
        (404, {"X-Error-Code": "RevisionNotFound"}, HubNotFound),
        (407, {}, HubUnavailable),
        (409, {}, HubBusy),
        (412, {}, HubConflict),
        (500, {}, HubUnavailable),
        (503, {}, HubUnavailable),
        (599, {}, HubUnavailable),
    ],
)
def test_a_refusal_has_one_meaning(
    refusing: tuple[Refusal, str],
    ask: Callable[[str], None],
    status: int,
    headers: dict[str, str],
    expected: type[HubError],
) -> None:
    app, endpoint = refusing
    app.status, app.headers = status, headers
    with pytest.raises(HubError) as caught:
        ask(endpoint)
    assert type(caught.value) is expected
    assert str(status) in str(caught.value), "the message names it"


@BOTH
@pytest.mark.parametrize(("told", "seconds"), [("30", 30.0), (None, None), ("soon", None), ("-1", None), ("²", None)])
def test_a_rate_limit_says_how_long(
    refusing: tuple[Refusal, str], ask: Callable[[str], None], told: str | None, seconds: float | None
) -> None:
    app, endpoint = refusing
    app.status, app.headers = 429, {} if told is None else {"Retry-After": told}
    with pytest.raises(HubRateLimited) as caught:
        ask(endpoint)
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize(("ask", "expected"), [(by_huggingface_hub, HubRefused), (by_the_api, HubNotFound)])
def test_what_no_retry_mends_is_about_the_token_of_a_writer_and_the_url_of_a_reader(
    refusing: tuple[Refusal, str], ask: Callable[[str], None], expected: type[HubError]
) -> None:
    app, endpoint = refusing
    app.status, app.headers = 400, {}
    with pytest.raises(expected):
        ask(endpoint)
