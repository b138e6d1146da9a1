"""Which error a Hub's refusal is, by status and headers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from datahub_assets.domain.errors import (
    HubBusy,
    HubConflict,
    HubError,
    HubNotFound,
    HubRateLimited,
    HubRefused,
    HubUnavailable,
)

_DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_OF_STATUS: Final[Mapping[int, type[HubError]]] = {
    HTTPStatus.UNAUTHORIZED: HubRefused,
    HTTPStatus.FORBIDDEN: HubRefused,
    HTTPStatus.NOT_FOUND: HubNotFound,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: HubUnavailable,
    HTTPStatus.CONFLICT: HubBusy,
    HTTPStatus.PRECONDITION_FAILED: HubConflict,
}


def error_of_status(
    status: int, message: str, *, headers: Mapping[str, str], otherwise: type[HubError] = HubRefused
) -> HubError:
    """The typed error of an answer with a status of 400 or more.

    Args:
        headers: those of the answer, whose names are looked up in whatever case: `X-Error-Code` names the kind (the
            values are those huggingface_hub reads in `utils/_http.py`), `Retry-After` the seconds to wait.
        otherwise: the error of a status not listed here, such as 400.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = headers.get("Retry-After", "")
        return HubRateLimited(message, retry_after_s=float(wait) if wait.isdecimal() else None)
    if status in _DENIED and headers.get("X-Error-Code") == "RepoNotFound":
        # The Hub hides missing repositories behind 401 from callers it does not know.
        return HubNotFound(message)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HubUnavailable(message)
    return _OF_STATUS.get(status, otherwise)(message)
