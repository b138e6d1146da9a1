"""Errors in the shapes CoinGecko's API has for them: `{"error": …}` for parameters, `{"status": {…}}` for the rest.

Numbers are those of its documentation (docs.coingecko.com, "Errors and rate limits").
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from api.http.problems import Problem, explain
from datahub_assets.domain.errors import DataHubError

_KEY_MISSING: Final = 10002
_KEY_INVALID: Final = 10010
_UNPROCESSABLE: Final = 422


class CoinGeckoStatus(msgspec.Struct, frozen=True):
    """A number and a sentence."""

    error_code: int
    error_message: str


class CoinGeckoProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong: `error` about parameters and paths, `status` about everything else."""

    error: str | None = None
    status: CoinGeckoStatus | None = None


class CoinGeckoRefusal(DataHubError):
    """A request CoinGecko's API would refuse because of a parameter."""

    code = "coingecko_refusal"
    status = _UNPROCESSABLE


class CoinNotFound(DataHubError):
    """There are no rows of the coin an address names."""

    code = "coin_not_found"
    status = 404


_NUMBERS: Final[Mapping[str, int]] = {"token_missing": _KEY_MISSING, "token_refused": _KEY_INVALID}
_PLAIN: Final = frozenset(
    {
        "coingecko_refusal",
        "coin_not_found",
        "revision_unknown",
        "not_found",
        "method_not_allowed",
        "invalid_parameter",
        "repeated_parameter",
        "repeated_header",
        "conflicting_keys",
        "url_too_long",
    }
)


def coingecko_answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of these endpoints. Status and headers are ours, the shape is CoinGecko's."""
    problem, headers = explain(request, error)
    return Response(
        coingecko_body(problem),
        status_code=problem.status,
        headers=headers | {"Cache-Control": "no-store"},
        media_type="application/json",
    )


def coingecko_body(problem: Problem) -> bytes:
    """The JSON of a problem as CoinGecko has it."""
    if problem.code in _PLAIN:
        body = CoinGeckoProblem(error=problem.detail)
    else:
        number = _NUMBERS.get(problem.code, problem.status)
        body = CoinGeckoProblem(status=CoinGeckoStatus(number, problem.detail))
    return msgspec.json.encode(body)


_MEANINGS: Final = {
    400: "a parameter or a header is sent twice, `revision` and `as_of` are both given, or a time cannot be read",
    401: "there is no token: 10002",
    403: "the token is not accepted: 10010",
    404: "there is no such revision or coin, or this is not one of the endpoints served here",
    422: "a parameter is missing or not valid",
    429: "the token's requests of the minute are used up; Retry-After says how long to wait",
    502: "a file on the Hub is not what it should be",
    503: "nothing was read from the Hub yet, or it is needed and cannot be reached",
}


def coingecko_problems(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The documented refusals of an operation."""
    return {
        status: ResponseSpec(CoinGeckoProblem, description=_MEANINGS[status], generate_examples=False)
        for status in statuses
    }
