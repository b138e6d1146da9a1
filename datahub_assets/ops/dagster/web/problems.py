"""Refusals as problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse


class UiProblem(JSONResponse):
    """An answer that says what is wrong with a request and what to do."""

    media_type = "application/problem+json"

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.detail = detail
        super().__init__(
            {"title": status.phrase, "status": status.value, "code": code, "detail": detail},
            status_code=status.value,
            headers={"cache-control": "no-store", **(headers or {})},
        )
