"""Errors as callers see them: RFC 9457 problem details, and the catalogue of all kinds."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from api.http.context import RequestContext
from api.http.errors import UNKNOWN_VALUES, ApiError, InvalidParameter, RequestTooLarge, SqlError, UnknownValue
from api.http.reading import public_name
from api.http.token_form import cut_tokens
from datahub_assets.domain.errors import (
    DataHubError,
    HubContentInvalid,
    HubError,
    HubNotFound,
    HubRateLimited,
    Transient,
)
from datahub_system.net.bodies import ENDED_EARLY

_LOG: Final = logging.getLogger(__name__)
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
_SHOWN: Final = 100
_SERVER_ERROR: Final = 500


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details (RFC 9457). Match on `code`; it does not change."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    parameter: str | None = None
    value: str | None = None
    valid: list[str] | None = None
    position: int | None = None


_REMEDIES: Final = {
    400: "Change the request: the problem names the parameter, its value and what is valid.",
    401: "Send `Authorization: Bearer <token>`.",
    403: "Send another token, or ask for something that is open to callers.",
    404: "Ask for something that is there: the problem lists what is near or valid.",
    405: "Use a method the endpoint knows; the header Allow lists them.",
    406: "Send an Accept header, or `format=`, that names one of the formats.",
    408: "Ask for less, or for something simpler; send a body without pauses.",
    413: "Ask for less at once, or send less.",
    414: "Send a shorter URL: fewer names in a list, or SQL with POST.",
    429: "Wait as long as the header Retry-After says, then send the same request.",
    431: "Send fewer and shorter headers.",
    500: "Report it with the request's id.",
    502: "Ask for an older revision; somebody has to mend the dataset.",
    503: "Wait as long as the header Retry-After says, then send the same request.",
}


class ErrorKind(msgspec.Struct, frozen=True):
    """A kind of error: the code to match on, its status, what it means, and what to do about it."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str


def _kind(code: str, status: int, title: str, meaning: str) -> ErrorKind:
    return ErrorKind(code, status, title, meaning, remedy=_REMEDIES[status])


# What Litestar answers by itself, by status; `errors` has no class for these.
_OF_FRAMEWORK: Final = {
    404: _kind("not_found", 404, "There is nothing here", "No endpoint has this path."),
    405: _kind("method_not_allowed", 405, "The method is not allowed", "The endpoint does not know this method."),
    413: _kind(RequestTooLarge.code, 413, RequestTooLarge.title, str(RequestTooLarge.__doc__)),
}
_INVALID: Final = _kind("request_invalid", 400, "The request is not valid", "The request cannot be understood.")
_INTERNAL: Final = _kind(
    "internal_error", 500, "Something is wrong on this server", "An unexpected error; the server's log has it."
)


def catalogue() -> list[ErrorKind]:
    """Every kind of error an answer may carry, by code."""
    found = {kind.code: kind for kind in (*_OF_FRAMEWORK.values(), _INVALID, _INTERNAL)}
    pending: list[type[DataHubError]] = [ApiError, HubError, SqlError]
    while pending:
        error = pending.pop()
        pending.extend(UNKNOWN_VALUES.values() if error is UnknownValue else error.__subclasses__())
        found[error.code] = _kind(error.code, _status(error), _title(error), " ".join(str(error.__doc__).split()))
    return [found[code] for code in sorted(found)]


def problem_of(
    error: Exception, *, context: RequestContext, given: Mapping[str, Any]
) -> tuple[Problem, dict[str, str]]:
    """The problem details of an error, and the headers that go with it. Unexpected errors disclose nothing.

    `given` are the request's query parameters.
    """
    problem, headers = _problem_of(error, request_id=context.request_id.decode(), given=given)
    return msgspec.structs.replace(problem, type=f"{context.public_url}{problem.type}"), headers


def _problem_of(error: Exception, *, request_id: str, given: Mapping[str, Any]) -> tuple[Problem, dict[str, str]]:
    if isinstance(error, DataHubError):
        return _expected(error, request_id=request_id)
    if isinstance(error, HTTPException):
        return _of_framework(error, request_id=request_id, given=given)
    return _problem(_INTERNAL.code, _INTERNAL.status, _INTERNAL.title, "see the server's log", request_id), {}


def explain(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """What an error of a request means to its caller, as `problem_of`; an unexpected error is logged."""
    context = RequestContext.of(request.scope)
    problem, headers = problem_of(error, context=context, given=request.query_params)
    is_expected = isinstance(error, DataHubError) or request.scope.get(ENDED_EARLY, False)
    if problem.status >= _SERVER_ERROR and not is_expected:
        _LOG.error("request %s failed", problem.request_id, exc_info=error)
    return problem, headers


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The application's exception handler."""
    problem, headers = explain(request, error)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        headers=headers | {"Cache-Control": "no-store"},
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _expected(error: DataHubError, *, request_id: str) -> tuple[Problem, dict[str, str]]:
    headers = dict(getattr(error, "headers", {}))
    fields = dict(getattr(error, "fields", {}))
    if isinstance(error, HubError) and isinstance(error, Transient):
        wait_s = error.retry_after_s if isinstance(error, HubRateLimited) else None
        headers["Retry-After"] = str(round(wait_s or 5))
    position = getattr(error, "position", None)
    if position is not None:
        fields.setdefault("position", position)
    detail = "the Hub could not be read; see the server's log" if isinstance(error, HubError) else str(error)
    return _problem(error.code, _status(type(error)), _title(type(error)), detail, request_id, **fields), headers


def _of_framework(error: HTTPException, *, request_id: str, given: Mapping[str, Any]) -> tuple[Problem, dict[str, str]]:
    """Errors Litestar raises by itself: no such route, wrong method, parameters that do not parse."""
    headers = dict(error.headers or {})
    status = error.status_code
    if isinstance(error, ValidationException):
        invalid = (InvalidParameter.code, status, InvalidParameter.title)
        if not isinstance(error.extra, list) or not error.extra:
            return _problem(*invalid, _without_url(error.detail), request_id), headers
        name = public_name(str(error.extra[0].get("key")))
        detail = "; ".join(_not_valid(item, given) for item in error.extra)
        return _problem(*invalid, detail, request_id, parameter=name, value=str(given.get(name, ""))[:_SHOWN]), headers
    kind = _OF_FRAMEWORK.get(status) or (_INTERNAL if status >= _SERVER_ERROR else _INVALID)
    return _problem(kind.code, status, kind.title, error.detail, request_id), headers


def _not_valid(item: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """What the framework says of one value, with the value."""
    name = public_name(str(item.get("key")))
    value = f"={str(given[name])[:_SHOWN]!r}" if name in given else ""
    return f"{name}{value} is not valid: {item.get('message')}"


def _without_url(detail: str) -> str:
    """Litestar ends some messages with the URL, whose query may hold what is secret."""
    return detail.partition(" for path ")[0]


def _problem(code: str, status: int, title: str, detail: str, request_id: str, **fields: Any) -> Problem:
    """The problem; what looks like a token in it, wherever the caller put that, is cut short."""
    shown: dict[str, Any] = {name: cut_tokens(said) if isinstance(said, str) else said for name, said in fields.items()}
    return Problem(
        type=f"/errors#{code}",
        title=title,
        status=status,
        detail=cut_tokens(detail),
        code=code,
        request_id=request_id,
        **shown,
    )


def _title(error: type[DataHubError]) -> str:
    return getattr(error, "title", "") or str(error.__doc__).partition(".")[0]


def _status(error: type[DataHubError]) -> int:
    """The HTTP status of a kind of error; those of the Hub have none of their own."""
    status = getattr(error, "status", None)
    if status is not None:
        return int(status)
    if issubclass(error, HubNotFound):
        return 404
    return 502 if issubclass(error, HubContentInvalid) else 503
