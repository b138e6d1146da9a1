"""Errors as Binance's API answers them: `{"code": -1121, "msg": "Invalid symbol."}`.

Codes and the first sentences of messages are those of its documentation (developers.binance.com, "Errors").
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from api.http.problems import Problem, explain
from datahub_assets.domain.errors import DataHubError

_UNKNOWN: Final = -1000
_BAD_REQUEST: Final = 400


class BinanceProblem(msgspec.Struct, frozen=True):
    """What went wrong; match on `code`."""

    code: int
    msg: str


class BinanceRefusal(DataHubError):
    """A request Binance's API would refuse, with its code for that."""

    code = "binance_refusal"
    status = _BAD_REQUEST

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def mandatory(name: str) -> BinanceRefusal:
    """A parameter is missing."""
    return BinanceRefusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def empty(name: str) -> BinanceRefusal:
    """A parameter has no value."""
    return BinanceRefusal(-1105, f"Parameter '{name}' was empty.")


def illegal(name: str, form: str) -> BinanceRefusal:
    """A parameter's value has characters it may not have."""
    return BinanceRefusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{form}'.")


def invalid(name: str, *, why: str = "") -> BinanceRefusal:
    """A parameter's value cannot be used."""
    return BinanceRefusal(-1130, f"Data sent for parameter '{name}' is not valid. {why}".rstrip())


_NUMBERS: Final[Mapping[str, tuple[int, str]]] = {
    "token_missing": (-2014, "API-key format invalid."),
    "token_refused": (-2015, "Invalid API-key, IP, or permissions for action."),
    "rate_limited": (-1003, "Too much request weight used."),
    "too_many_unknown_tokens": (-1003, "Too much request weight used."),
    "hub_rate_limited": (-1001, "Internal error; unable to process your request. Please try again."),
    "unknown_symbol": (-1121, "Invalid symbol."),
    "unknown_interval": (-1120, "Invalid interval."),
    "unknown_parameter": (-1104, "Not all sent parameters were read."),
    "repeated_parameter": (-1101, "Duplicate values for a parameter detected."),
    "repeated_header": (-1101, "Duplicate values for a parameter detected."),
    "conflicting_keys": (-1101, "Duplicate values for a parameter detected."),
    "url_too_long": (-1101, "Too many parameters sent for this endpoint."),
    "headers_too_large": (-1101, "Too many parameters sent for this endpoint."),
    "request_too_large": (-1101, "Too many parameters sent for this endpoint."),
    "request_timeout": (-1007, "Timeout waiting for the request."),
    "invalid_parameter": (-1130, "Invalid data sent for a parameter."),
    "revision_unknown": (-1130, "Unknown revision."),
    "not_found": (-1020, "This operation is not supported."),
    "method_not_allowed": (-1020, "This operation is not supported."),
}
"""By our own code: Binance's, and what it says."""
_ASKED_WRONGLY: Final = frozenset({"unknown_symbol", "unknown_interval"})
"""What we call 404 is 400 there. Revisions are ours alone, so one that is not there is 404 here too."""


def binance_answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of these endpoints. Status and headers are ours, code and shape are Binance's."""
    problem, headers = explain(request, error)
    status, body = binance_body(problem, error)
    return Response(
        body, status_code=status, headers=headers | {"Cache-Control": "no-store"}, media_type="application/json"
    )


def binance_body(problem: Problem, error: Exception) -> tuple[int, bytes]:
    """The status and the JSON of a problem as Binance has it."""
    if isinstance(error, BinanceRefusal):
        body = BinanceProblem(error.number, str(error))
    else:
        usual = (-1001, "Internal error; unable to process your request. Please try again.")
        if problem.code == "internal_error":
            usual = (_UNKNOWN, "An unknown error occurred while processing the request.")
        number, sentence = _NUMBERS.get(problem.code, usual)
        body = BinanceProblem(number, f"{sentence} {problem.detail}")
    return _BAD_REQUEST if problem.code in _ASKED_WRONGLY else problem.status, msgspec.json.encode(body)


_MEANINGS: Final = {
    400: "Binance's codes: -1100, -1101, -1102, -1104, -1105, -1120 (interval), -1121 (symbol), -1128, -1130",
    401: "there is no token: -2014",
    403: "the token is not accepted: -2015",
    404: "there is no such revision: -1130; or this is not one of the endpoints served here: -1020",
    429: "the token's requests of the minute are used up; Retry-After says how long to wait: -1003",
    502: "a file on the Hub is not what it should be: -1001",
    503: "nothing was read from the Hub yet, or it is needed and cannot be reached: -1001",
}


def binance_problems(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The documented refusals of an operation."""
    return {
        status: ResponseSpec(BinanceProblem, description=_MEANINGS[status], generate_examples=False)
        for status in statuses
    }
