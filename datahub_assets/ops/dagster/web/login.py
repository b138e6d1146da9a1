"""The login: the owner's token once by a form, then a session in a cookie; or the token with each request of a program.

Tokens and ids of sessions are never in a URL or a log.
"""

import base64
import binascii
import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from datahub_assets.ops.dagster.web.guard import REFUSED_WEBSOCKET
from datahub_assets.ops.dagster.web.login_page import LOGIN, LOGOUT, logged_in, login_form
from datahub_assets.ops.dagster.web.own_pages import SAFE_METHODS
from datahub_assets.ops.dagster.web.problems import UiProblem
from datahub_assets.ops.dagster.web.sessions import SESSION_S, Clock, FailedLogins, Sessions
from datahub_system.net.addresses import subscriber

FORM_PATHS: Final = frozenset({LOGIN, LOGOUT})
READINESS: Final = "/server_info"
_COOKIE: Final = "datahub_dagster"
_LARGEST_FORM: Final = 16 * 1024


class Login:
    """ASGI middleware that lets through only who has the token or a session.

    Args:
        token: the owner's.
        clock: seconds that only grow.
    """

    def __init__(self, app: ASGIApp, token: str, *, clock: Clock = time.monotonic) -> None:
        self._app = app
        self._token = _digest(token)
        self._sessions = Sessions(clock)
        self._failed = FailedLogins(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._refusal(connection)
        if scope["type"] == "websocket":
            await (self._app(scope, receive, send) if refusal is None else send(REFUSED_WEBSOCKET))
        elif scope["path"] in FORM_PATHS:
            answer = await self._form(Request(scope, receive), is_in=refusal is None)
            await answer(scope, receive, send)
        else:
            await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Why somebody may not pass; None for who has a session or gives the right token."""
        if self._sessions.knows(connection.cookies.get(_COOKIE, "")):
            return None
        given = _given_token(connection.headers)
        if given is not None:
            return self._try(_address(connection), given)
        if connection.scope["path"] == READINESS:  # no versions for strangers
            return JSONResponse({"status": "ok"})
        if connection.scope.get("method") in SAFE_METHODS and "text/html" in connection.headers.get("accept", ""):
            return login_form(after=_asked_for(connection.scope), status=HTTPStatus.UNAUTHORIZED)
        return _unauthorized("Log in at /login, or send the owner's token as Authorization: Bearer.")

    def _try(self, address: str, given: str) -> UiProblem | None:
        """Check a token. The right one always passes: others may have given wrong ones from the same address.

        After too many wrong tokens further ones are refused, and not counted.
        """
        if hmac.compare_digest(_digest(given), self._token):
            return None
        wait_s = math.ceil(self._failed.wait_s(address))
        if wait_s:
            detail = f"Too many wrong tokens came from your address. Try again in {wait_s} seconds."
            headers = {"retry-after": str(wait_s)}
            return UiProblem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_wrong_tokens", detail, headers)
        self._failed.add(address)
        return _unauthorized("This is not the token of this Data Hub's owner.")

    async def _form(self, request: Request, *, is_in: bool) -> Response:
        """Answer a request to the login page or the logout."""
        if request.url.path == LOGOUT:
            if request.method != "POST":
                return RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
            return self._log_out(request)
        if request.method != "POST":
            return logged_in() if is_in else login_form(after="/")
        fields = await _fields(request)
        if fields is None:
            return UiProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The form has too much in it.")
        return self._log_in(request, fields)

    def _log_in(self, request: Request, fields: Mapping[str, list[str]]) -> Response:
        after = _local_path(fields.get("next", ["/"])[0])
        refusal = self._try(_address(request), fields.get("token", [""])[0].strip())
        if refusal is not None:
            return _as_page(refusal, after=after)
        answer = RedirectResponse(after, HTTPStatus.SEE_OTHER, {"cache-control": "no-store"})
        answer.set_cookie(
            _COOKIE,
            self._sessions.begin(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=_is_https(request.headers),
        )
        return answer

    def _log_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(_COOKIE, ""))
        answer = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER, {"cache-control": "no-store"})
        answer.delete_cookie(_COOKIE, httponly=True, samesite="strict", secure=_is_https(request.headers))
        return answer


async def _fields(request: Request) -> dict[str, list[str]] | None:
    """The fields of a form; None when it is larger than a login can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return None
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def _given_token(headers: Headers) -> str | None:
    """The token of an `Authorization` header, Bearer's or Basic's password; None without such a header."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unauthorized(detail: str) -> UiProblem:
    # Not Basic: browsers would open a window of their own for it.
    return UiProblem(HTTPStatus.UNAUTHORIZED, "login_needed", detail, {"www-authenticate": 'Bearer realm="Dagster"'})


def _as_page(refusal: UiProblem, *, after: str) -> Response:
    """The login page with the reason of a refusal."""
    page = login_form(after=after, status=HTTPStatus(refusal.status_code), error=refusal.detail)
    for name in ("retry-after", "www-authenticate"):
        if name in refusal.headers:
            page.headers[name] = refusal.headers[name]
    return page


def _is_https(headers: Headers) -> bool:
    """Whether the browser uses https, to a proxy before us; a false claim only costs its sender the cookie."""
    return headers.get("origin", "").startswith("https://") or headers.get("x-forwarded-proto", "") == "https"


def _asked_for(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return _local_path(scope.get("raw_path", b"/").decode("latin-1") + (f"?{query}" if query else ""))


def _local_path(path: str) -> str:
    """The path, or `/` for what a browser would take for another site or page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if is_local and path.partition("?")[0] not in FORM_PATHS else "/"


def _address(connection: HTTPConnection) -> str:
    return subscriber(connection.client.host) if connection.client else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
