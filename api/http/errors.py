"""The errors of the API, each with its HTTP status and a stable code.

Errors of the Hub are in `datahub_assets.domain.errors`.

ApiError
├── InvalidParameter 400 · UnknownParameter 400 · RepeatedParameter 400 · RepeatedHeader 400 · ConflictingKeys 400
├── InvalidCursor 400 · InvalidWebhook 403
├── RequestTimeout 408 · RequestTooLarge 413 · UrlTooLong 414 · HeadersTooLarge 431
├── TokenMissing 401 · TokenRefused 403 · TooManyUnknownTokens 429 · RateLimited 429 · TooManyStreams 429
├── UnknownValue 404 (a code for each kind) · UnknownDataset 404 · RevisionUnknown 404
├── NotAcceptable 406 · DiffTooLarge 413
└── DatasetNotReady 503 · TooManyRevisions 503 · ServerBusy 503
"""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

from datahub_assets.datasets.filters import Unknown
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import DataHubError

_LISTED: Final = 20
_SHOWN: Final = 100
_COMPARED: Final = 1000
"""Most names a misspelt one is compared with: it takes about 30 µs for each."""


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
        unknown = [name[:_SHOWN] for name in sorted(names)][:_LISTED]
        known = f"valid: {', '.join(sorted(valid))}" if valid else "this endpoint takes no parameters"
        return cls(
            f"unknown parameter {', '.join(unknown)}; {known}",
            fields={"parameter": unknown[0], "valid": sorted(valid)},
        )


class RepeatedParameter(ApiError):
    """The request sends a parameter of one value several times."""

    code = "repeated_parameter"
    title = "A parameter is sent several times"

    @classmethod
    def of(cls, name: str, values: Collection[str]) -> "RepeatedParameter":
        """Name the parameter and the values it was sent with."""
        shown = ", ".join(repr(value[:_SHOWN]) for value in list(values)[:_LISTED])
        return cls(f"{name} is sent {len(values)} times ({shown}) and has one value only", fields={"parameter": name})


class RepeatedHeader(ApiError):
    """The request sends a header of one value several times; it is ambiguous which is meant."""

    code = "repeated_header"
    title = "A header is sent several times"

    @classmethod
    def of(cls, name: str, times: int) -> "RepeatedHeader":
        """Name the header. Its values, which may be secret, are not shown."""
        return cls(f"the header {name} is sent {times} times; send it once", fields={"parameter": name})


class ConflictingKeys(ApiError):
    """The request sends several API keys that differ; it is ambiguous which is meant."""

    code = "conflicting_keys"
    title = "Several API keys are sent"


class RequestTimeout(ApiError):
    """The request's body did not come in time."""

    code = "request_timeout"
    status = 408
    title = "The request took too long to come"


class RequestTooLarge(ApiError):
    """The request's body is larger than is accepted."""

    code = "request_too_large"
    status = 413
    title = "The request is too large"


class UrlTooLong(ApiError):
    """The request's path or query is longer than is accepted; SQL can be sent with POST."""

    code = "url_too_long"
    status = 414
    title = "The URL is too long"


class HeadersTooLarge(ApiError):
    """The request's headers are larger or more than is accepted."""

    code = "headers_too_large"
    status = 431
    title = "The headers are too large"


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
    """The request has no token."""

    code = "token_missing"
    status = 401
    title = "A token is needed"

    def __init__(self) -> None:
        super().__init__(
            "send the header `Authorization: Bearer <token>` with this server's own token, a Hugging Face token, or a "
            "client token (`datahub token add NAME`)",
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


class TooManyStreams(ApiError):
    """As many clients follow the datasets as this server serves at once."""

    code = "too_many_streams"
    status = 429
    title = "Too many streams"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "30"})


class UnknownValue(ApiError):
    """A parameter names something no row of the dataset has. Each kind of it has a code, see `unknown_value`."""

    code = "unknown_value"
    status = 404
    title = "The dataset has no such value"

    @classmethod
    def of(
        cls, name: str, unknown: Iterable[str], *, known: Collection[str], where: str, meant: Sequence[str] = ()
    ) -> "UnknownValue":
        """Name the unknown values, and list the known ones: of many those near, after what is `meant` by it."""
        missing = [value[:_SHOWN] for value in unknown]
        near: list[str] = []
        if len(known) > _LISTED:
            near = difflib.get_close_matches(missing[0], _comparable(missing[0], known), n=_LISTED, cutoff=0.5)
        near = list(dict.fromkeys([*meant, *near]))[:_LISTED] or sorted(known)[:_LISTED]
        detail = (
            f"{name}={', '.join(missing[:_LISTED])!r} is not in {where}; near or valid: {', '.join(near) or 'none'}"
        )
        return cls(detail, fields={"parameter": name, "value": missing[0], "valid": near})


@cache
def unknown_value(unknown: Unknown) -> type[UnknownValue]:
    """The error for such a value: `unknown_symbol`, for one."""
    members = {
        "code": unknown.code,
        "title": f"The dataset has no such {unknown.noun}",
        "__doc__": f"The dataset has no such {unknown.noun}.",
    }
    return type("".join(word.capitalize() for word in unknown.code.split("_")), (UnknownValue,), members)


UNKNOWN_VALUES: Final = {
    one.unknown.code: unknown_value(one.unknown)
    for spec in DATASETS.values()
    for one in spec.filters
    if one.unknown is not None
}
"""All of them, by code: made at once, so that the catalogue of errors has them."""


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


class ServerBusy(ApiError):
    """So many large answers are being worked out, or wait for it, that another must wait."""

    code = "server_busy"
    status = 503
    title = "Too many large answers at once"


class DatasetNotReady(ApiError):
    """Nothing was read from the Hub yet, so nothing can be served."""

    code = "dataset_not_ready"
    status = 503
    title = "The dataset is not there yet"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "5"})


def _comparable(value: str, known: Collection[str]) -> Collection[str]:
    """The names a value may be a misspelling of; of very many only those that begin as it does."""
    if len(known) <= _COMPARED:
        return known
    return [name for name in sorted(known) if name[:1].lower() == value[:1].lower()][:_COMPARED]


class SqlError(DataHubError):
    """Something about a caller's SQL. `status`, `title` and `headers` are what HTTP says of it."""

    code = "sql_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The statement cannot be answered"

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that go with the answer."""
        return {}
