"""Which requests to Dagster pass: those of our own pages and of programs, with changes by POST and JSON only.

Dagster itself takes a mutation from the query string of a GET, from a POST of any content type, and from a WebSocket
that a page of any origin opened.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from datahub_assets.ops.dagster.web.own_pages import SAFE_METHODS, is_from_own_page
from datahub_assets.ops.dagster.web.problems import UiProblem
from datahub_system.net.headers import repeated

GRAPHQL: Final = "/graphql"
REFUSED_WEBSOCKET: Final = {"type": "websocket.close", "code": 1008}
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


class Guard:
    """ASGI middleware that refuses what a page of another origin could have a browser send.

    Args:
        form_paths: paths that take an HTML form by POST, and nothing else.
    """

    def __init__(self, app: ASGIApp, *, form_paths: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._form_paths = form_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "websocket":
            is_clear = repeated(scope["headers"]) is None
            if is_clear and is_from_own_page(Headers(scope=scope), method="POST", may_be_linked=False):
                await self._app(scope, receive, send)
            else:
                await send(REFUSED_WEBSOCKET)
            return
        problem = self._problem(scope) if scope["type"] == "http" else None
        await (self._app if problem is None else problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> UiProblem | None:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        twice = repeated(scope["headers"])
        if twice is not None:
            detail = f"The header {twice} is sent several times; send it once."
            return UiProblem(HTTPStatus.BAD_REQUEST, "repeated_header", detail)
        if method not in {*SAFE_METHODS, "POST"}:
            return _wrong_method("Dagster's UI takes GET and POST.", allow="GET, HEAD, POST")
        if not is_from_own_page(headers, method=method, may_be_linked=path != GRAPHQL):
            return UiProblem(
                HTTPStatus.FORBIDDEN,
                "cross_origin",
                "A page of another origin sent this. Behind a reverse proxy, let it pass on the Host header.",
            )
        if method == "POST":
            return self._content_type_problem(path, headers.get("content-type"))
        return _query_problem(scope["query_string"], headers) if path == GRAPHQL else None

    def _content_type_problem(self, path: str, given: str | None) -> UiProblem | None:
        """Refuse what a page may send anywhere without asking (text, forms), and what Dagster reads from the URL then.

        The whole media type counts: Dagster looks for a part of the header, so that `text/plain;application/json` is
        JSON to it while browsers send it without asking.
        """
        wanted = _FORM if path in self._form_paths else _JSON
        if given is None and path not in {GRAPHQL, *self._form_paths}:
            return None  # reports of assets, which may have everything in their URL
        if given is not None and given.partition(";")[0].strip().lower() == wanted:
            return None
        return UiProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_type", f"Send it as Content-Type: {wanted}.")


def _query_problem(query_string: bytes, headers: Headers) -> UiProblem | None:
    """Refuse GraphQL by GET: what is left of it is the page to try queries in."""
    is_query = b"query" in {name.strip() for name in parse_qs(query_string, keep_blank_values=True)}
    if is_query or "text/html" not in headers.get("accept", ""):
        return _wrong_method("Send GraphQL as JSON by POST.", allow="POST")
    return None


def _wrong_method(detail: str, *, allow: str) -> UiProblem:
    return UiProblem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, {"allow": allow})
