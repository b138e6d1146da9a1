"""The errors of the API, each with its HTTP status and a stable code, and the one mapping of them to RFC 9457.

Errors of the Hub are raised elsewhere (`datahub_assets.domain.errors`); only their status stands here.

ApiError
├── InvalidParameter 400 · UnknownParameter 400 · InvalidCursor 400 · InvalidWebhook 403
├── TokenMissing 401 · TokenRefused 403 · TooManyUnknownTokens 429 · RateLimited 429
├── UnknownSymbol 404 · UnknownInterval 404 · UnknownDataset 404 · RevisionUnknown 404
├── NotAcceptable 406 · DiffTooLarge 413
└── DatasetNotReady 503 · TooManyRevisions 503
"""

import difflib
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from api.sandbox.errors import SqlError
from datahub_assets.domain.errors import (
    DataHubError,
    HubContentInvalid,
    HubError,
    HubNotFound,
    HubRateLimited,
)

_LOG: Final = logging.getLogger(__name__)
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
_LISTED: Final = 20
_SHOWN: Final = 100


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


class ApiError(DataHubError):
    """An answer that is not a success. `fields` are further members of the problem details."""

    code: ClassVar[str] = "api_error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request cannot be answered"

    def __init__(
        self, message: str, *, fields: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


class InvalidParameter(ApiError):
    """A parameter has a value that cannot be used."""

    code = "invalid_parameter"
    title = "A parameter is not valid"

    @classmethod
    def of(cls, name: str, value: object, *, valid: str | Collection[str]) -> "InvalidParameter":
        """Name the parameter, its value and what would be valid: a list of values, or a sentence."""
        shown = str(value)[:_SHOWN]
        listed = valid if isinstance(valid, str) else ", ".join(valid)
        fields: dict[str, Any] = {"parameter": name, "value": shown}
        if not isinstance(valid, str):
            fields["valid"] = list(valid)
        return cls(f"{name}={shown!r} is not valid; valid: {listed}", fields=fields)


class UnknownParameter(ApiError):
    """The request has a parameter this endpoint does not know."""

    code = "unknown_parameter"
    title = "A parameter is not known"

    @classmethod
    def of(cls, names: Iterable[str], *, valid: Collection[str]) -> "UnknownParameter":
        """Name the unknown parameters and list the known ones."""
        unknown = sorted(names)
        return cls(
            f"unknown parameter {', '.join(unknown)}; valid: {', '.join(sorted(valid))}",
            fields={"parameter": unknown[0], "valid": sorted(valid)},
        )


class InvalidCursor(ApiError):
    """The cursor is not one this server gave for this query."""

    code = "invalid_cursor"
    title = "The cursor is not valid here"


class InvalidWebhook(ApiError):
    """The webhook's secret is missing or wrong."""

    code = "invalid_webhook"
    status = 403
    title = "The webhook is not accepted"


class TokenMissing(ApiError):
    """The request has no bearer token."""

    code = "token_missing"
    status = 401
    title = "A token is needed"

    def __init__(self) -> None:
        super().__init__(
            "send the header `Authorization: Bearer <token>` with this server's own token or a Hugging Face token",
            headers={"WWW-Authenticate": 'Bearer realm="crypto-data-hub"'},
        )


class TokenRefused(ApiError):
    """The token is not one that may read here."""

    code = "token_refused"
    status = 403
    title = "The token is not accepted"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"WWW-Authenticate": 'Bearer realm="crypto-data-hub", error="invalid_token"'})


class TooManyUnknownTokens(ApiError):
    """More unknown tokens came in than the Hub may be asked about; tokens known already are not affected."""

    code = "too_many_unknown_tokens"
    status = 429
    title = "Too many unknown tokens"


class RateLimited(ApiError):
    """The token used up its requests of this minute."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"


class UnknownSymbol(ApiError):
    """The dataset has no such symbol or coin."""

    code = "unknown_symbol"
    status = 404
    title = "The dataset has no such symbol"

    @classmethod
    def of(cls, name: str, unknown: Iterable[str], *, known: Collection[str], where: str) -> "UnknownSymbol":
        """Name the unknown values and list near known ones."""
        missing = list(unknown)
        near = difflib.get_close_matches(missing[0], known, n=_LISTED, cutoff=0.5) or sorted(known)[:_LISTED]
        detail = f"{name}={', '.join(missing[:_LISTED])!r} is not in {where}; near or valid: {', '.join(near)}"
        return cls(detail, fields={"parameter": name, "value": missing[0], "valid": near})


class UnknownInterval(ApiError):
    """The dataset has no candles of that length."""

    code = "unknown_interval"
    status = 404
    title = "The dataset has no such interval"

    @classmethod
    def of(cls, value: str, *, valid: Collection[str]) -> "UnknownInterval":
        """Name the interval and list those there are."""
        return cls(
            f"interval={value[:100]!r} is not in the dataset; valid: {', '.join(valid)}",
            fields={"parameter": "interval", "value": value[:100], "valid": list(valid)},
        )


class UnknownDataset(ApiError):
    """There is no dataset of that name."""

    code = "unknown_dataset"
    status = 404
    title = "There is no such dataset"


class RevisionUnknown(ApiError):
    """The dataset has no such branch, tag or commit, or none that old."""

    code = "revision_unknown"
    status = 404
    title = "The dataset has no such revision"


class DiffTooLarge(ApiError):
    """Too much differs between the two commits to compare them in one answer."""

    code = "diff_too_large"
    status = 413
    title = "The difference is too large"


class NotAcceptable(ApiError):
    """No format the caller accepts can be given."""

    code = "not_acceptable"
    status = 406
    title = "No acceptable format"


class TooManyRevisions(ApiError):
    """So many older commits are being fetched from the Hub that another must wait; the current one is not affected."""

    code = "too_many_revisions"
    status = 503
    title = "Too many older commits at once"


class DatasetNotReady(ApiError):
    """Nothing was read from the Hub yet, so nothing can be served."""

    code = "dataset_not_ready"
    status = 503
    title = "The dataset is not there yet"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "5"})


def catalogue() -> list[type[DataHubError]]:
    """Every kind of error an answer may carry, by code."""
    found: dict[str, type[DataHubError]] = {}
    pending: list[type[DataHubError]] = [ApiError, HubError, SqlError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        found[kind.code] = kind
    return [found[code] for code in sorted(found)]


def status_of(kind: type[DataHubError]) -> int:
    """The HTTP status of a kind of error."""
    status = getattr(kind, "status", None)
    return int(status) if status is not None else _hub_status(kind)


def problem_of(error: Exception, *, request_id: str, given: Mapping[str, Any]) -> tuple[Problem, dict[str, str]]:
    """The problem details of an error, and the headers that go with it. Unexpected errors disclose nothing.

    `given` are the request's query parameters.
    """
    if isinstance(error, DataHubError):
        return _expected(error, request_id=request_id)
    if isinstance(error, HTTPException):
        return _of_framework(error, request_id=request_id, given=given)
    return _problem(500, "internal_error", "Something is wrong on this server", "see the server's log", request_id), {}


def explain(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """What an error of a request means to its caller, as `problem_of`; what nobody expected is logged."""
    request_id = str(request.scope.get("state", {}).get("request_id", ""))
    problem, headers = problem_of(error, request_id=request_id, given=request.query_params)
    if problem.status >= 500 and not isinstance(error, DataHubError):  # noqa: PLR2004 - HTTP's own line
        _LOG.error("request %s failed", request_id, exc_info=error)
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
    status = status_of(type(error))
    title = getattr(error, "title", "") or str(type(error).__doc__).partition(".")[0]
    if isinstance(error, HubError):
        wait = error.retry_after_s if isinstance(error, HubRateLimited) else None
        headers["Retry-After"] = str(round(wait or 5))
    position = getattr(error, "position", None)
    if position is not None:
        fields.setdefault("position", position)
    detail = "the Hub could not be read; see the server's log" if isinstance(error, HubError) else str(error)
    return _problem(status, error.code, title, detail, request_id, **fields), headers


def _hub_status(kind: type[DataHubError]) -> int:
    if issubclass(kind, HubNotFound):
        return 404
    return 502 if issubclass(kind, HubContentInvalid) else 503


def _of_framework(error: HTTPException, *, request_id: str, given: Mapping[str, Any]) -> tuple[Problem, dict[str, str]]:
    """Errors Litestar raises by itself: no such route, wrong method, parameters that do not parse."""
    fields: dict[str, Any] = {}
    detail = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list) and error.extra:
        first = error.extra[0]
        fields = {"parameter": first.get("key"), "value": str(given.get(first.get("key"), ""))[:_SHOWN]}
        detail = "; ".join(f"{item.get('key')}: {item.get('message')}" for item in error.extra)
    code = {400: "invalid_parameter", 404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}.get(
        error.status_code,
        "request_invalid" if error.status_code < 500 else "internal_error",  # noqa: PLR2004
    )
    title = {400: InvalidParameter.title, 404: "There is nothing here", 405: "The method is not allowed"}.get(
        error.status_code, "The request cannot be answered"
    )
    return _problem(error.status_code, code, title, detail, request_id, **fields), dict(error.headers or {})


def _problem(status: int, code: str, title: str, detail: str, request_id: str, **fields: Any) -> Problem:
    return Problem(
        type=f"/errors#{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        **fields,
    )
