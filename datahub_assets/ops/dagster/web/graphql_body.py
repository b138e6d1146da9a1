"""What POST /graphql may hold. Dagster takes the shape for granted, and fails with a traceback where it is another."""

import json
from http import HTTPStatus
from typing import Any, Final, NoReturn

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datahub_assets.ops.dagster.web.guard import GRAPHQL
from datahub_assets.ops.dagster.web.problems import UiProblem

_TOO_DEEP: Final = "It is nested too deeply."


class GraphqlBody:
    """ASGI middleware that reads the body of a POST of GraphQL, and refuses what is no query in JSON.

    It belongs behind what bounds a body, as it holds one whole in memory, and behind a login.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, or refuse it."""
        if scope["type"] != "http" or scope["path"] != GRAPHQL or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _whole_body(receive)
        if body is None:
            return  # nobody is there
        fault = _fault(body)
        if fault is None:
            await self._app(scope, _replay(body, receive), send)
        else:
            await _refusal(fault)(scope, receive, send)


async def refuse_deep_query(_: Request, __: Exception) -> UiProblem:
    """Answer for Dagster's application when it raises RecursionError: its parser of queries has no other bound."""
    return _refusal(_TOO_DEEP)


def _refusal(detail: str) -> UiProblem:
    return UiProblem(HTTPStatus.BAD_REQUEST, "malformed_graphql", detail)


async def _whole_body(receive: Receive) -> bytes | None:
    """The body; None when it did not come to its end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A channel that gives the body once, and then what comes after it."""
    left = [body]

    async def replay() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replay


def _fault(body: bytes) -> str | None:
    """Why this is no query; None when it is one."""
    try:
        given = json.loads(body, parse_constant=_refuse_constant)
        # Answers repeat parts of the question, and must be JSON in UTF-8: no half of a surrogate pair, no infinity.
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        return _TOO_DEEP
    except ValueError:
        return "The body is not valid JSON."
    if not isinstance(given, dict):
        return 'The body has to be a JSON object: {"query": "…"}.'
    return next((f"{name} has to be {wanted}." for name, wanted, fits in _MEMBERS if not fits(given.get(name))), None)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_MEMBERS: Final = (
    ("query", "a text", _is_text),
    ("variables", "an object or null", lambda value: value is None or isinstance(value, dict)),
    ("operationName", "a text or null", lambda value: value is None or _is_text(value)),
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
