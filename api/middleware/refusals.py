"""Refusals of requests that never reach a handler, in the shape of the API their path belongs to.

What handlers refuse is answered by the application's exception handlers.
"""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.types import HTTPScope

from api.access.api_keys import BINANCE, COINGECKO
from api.dropin.binance.errors import binance_body
from api.dropin.coingecko.errors import coingecko_body
from api.http.context import RequestContext
from api.http.errors import ApiError, RequestTimeout, RequestTooLarge
from api.http.problems import PROBLEM_MEDIA_TYPE, problem_of
from datahub_system.net.bodies import BodyRefusal, RefusalResponse, Scope

_OF_BODIES: dict[int, type[ApiError]] = {error.status: error for error in (RequestTimeout, RequestTooLarge)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A finished answer; its headers are those that every answer gets besides."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def refusal_of(error: ApiError, *, path: str, context: RequestContext) -> Refusal:
    """How an error is answered to a request for that path."""
    problem, headers = problem_of(error, context=context, given={})
    media_type, status, body = "application/json", problem.status, b""
    if path.startswith(BINANCE):
        status, body = binance_body(problem, error)
    elif path.startswith(COINGECKO):
        body = coingecko_body(problem)
    else:
        media_type, body = PROBLEM_MEDIA_TYPE, msgspec.json.encode(problem)
    named: dict[str, str] = {**headers, "Cache-Control": "no-store", "Content-Type": media_type}
    return Refusal(status, [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()], body)


def body_refusal(scope: Scope, refusal: BodyRefusal) -> RefusalResponse:
    """How a body that is too large or too slow is answered."""
    error = _OF_BODIES[refusal.status](refusal.detail)
    found = refusal_of(error, path=scope["path"], context=RequestContext.of(cast("HTTPScope", scope)))
    return RefusalResponse(found.status, found.headers, found.body)
