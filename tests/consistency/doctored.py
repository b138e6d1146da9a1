"""The API with something wrong about it: a transport that changes requests or answers on their way."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx

from tests.consistency.asking import Checker
from tests.consistency.life import Life

Send = Callable[[httpx.Request], httpx.Response]
Exchange = Callable[[httpx.Request, Send], httpx.Response]
"""Answers a request, by what the API answers."""


class Doctored(httpx.BaseTransport):
    """Lets requests be answered in another way than the API does."""

    def __init__(self, inner: httpx.BaseTransport, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._exchange(request, self._send)

    def _send(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        answer.read()
        return answer


@contextmanager
def doctored(life: Life, exchange: Exchange) -> Iterator[Checker]:
    """A checker that knows nothing yet, of an API whose answers are changed."""
    transport = Doctored(life.http._transport, exchange)
    with httpx.Client(transport=transport, base_url=life.url, headers=life.http.headers) as http:
        yield Checker(http)


def changed(
    answer: httpx.Response,
    *,
    status: int | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str | None] | None = None,
) -> httpx.Response:
    """The answer with other parts; a header that is None is left out."""
    kept = {name: value for name, value in answer.headers.items() if name not in {"content-encoding", "content-length"}}
    return httpx.Response(
        answer.status_code if status is None else status,
        headers={name: value for name, value in (kept | dict(headers or {})).items() if value is not None},
        content=answer.content if content is None else content,
    )


def of_other_commits(shas: Mapping[str, str], *, media_type: str | None = None) -> Exchange:
    """Answers of these formats are of other commits, and do not say so.

    Args:
        shas: the commits that answer, by those that are asked for.
    """

    def exchange(request: httpx.Request, send: Send) -> httpx.Response:
        if media_type not in {None, request.headers["accept"]}:
            return changed(send(request))
        url = str(request.url)
        for asked, other in shas.items():
            url = url.replace(asked, other)
        answer = send(httpx.Request("GET", url, headers=request.headers))
        revision = answer.headers.get("x-revision", "")
        for asked, other in shas.items():
            revision = revision.replace(other, asked)
        return changed(answer, headers={"x-revision": revision or None})

    return exchange


def without_pages(request: httpx.Request, send: Send) -> httpx.Response:
    """There is never a next page."""
    return changed(send(request), headers={"link": None})


def other_when_compressed(request: httpx.Request, send: Send) -> httpx.Response:
    """Who takes gzip gets another body."""
    answer = send(request)
    return changed(answer, content=answer.content + b"\n" * (request.headers["accept-encoding"] == "gzip"))


def never_unchanged(request: httpx.Request, send: Send) -> httpx.Response:
    """Who has the answer gets it again."""
    return changed(send(request), status=200)


def of_an_unnamed_commit(request: httpx.Request, send: Send) -> httpx.Response:
    """X-Revision names another commit."""
    return changed(send(request), headers={"x-revision": "0" * 40})


def with_another_format(request: httpx.Request, send: Send) -> httpx.Response:
    """The OpenAPI document knows a format that nobody reads here."""
    answer = send(request)
    if not request.url.path.endswith("/openapi.json"):
        return changed(answer)
    return changed(answer, content=answer.content.replace(b'"text/csv"', b'"text/new"'))
