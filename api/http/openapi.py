"""What operations may answer besides success, for the OpenAPI schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Reference
from litestar.openapi.spec import Parameter as OpenAPIParameter

from api.encoders import FORMATS
from api.http.problems import PROBLEM_MEDIA_TYPE, Problem

_DESCRIPTIONS: Final = {
    400: "a parameter is unknown or not valid, or a header is sent twice; the problem names it",
    401: "there is no token",
    403: "the token is not accepted, or the statement reaches for what is not open to callers",
    404: "no row has a value that is asked for, or there is no such dataset or revision",
    406: "no format the caller accepts",
    408: "the statement, or the request's body, takes longer than it may",
    413: "the answer would be too large, or the request is",
    429: "this token's requests of the minute are used up; Retry-After says how long to wait",
    502: "a file on the Hub is not what it should be",
    503: "nothing was read from the Hub yet, or it is needed and cannot be reached",
}


def problems(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The documented problem answers of an operation."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description=_DESCRIPTIONS[status],
            media_type=PROBLEM_MEDIA_TYPE,
            generate_examples=False,
        )
        for status in statuses
    }


OPEN: Final = problems(400)
"""Answers of every operation that is open to all, besides its own."""
GUARDED: Final = problems(401, 403, 429, 503)
"""Answers of every operation that wants a token."""
QUERIED: Final = {**problems(400, 404, 502), **GUARDED}
"""Answers of every operation that reads a dataset at a revision."""
CONDITIONAL: Final = {304: ResponseSpec(None, description="the caller's ETag still holds")}
"""What a caller gets who has the answer already."""


@dataclass
class RowsOperation(Operation):
    """An operation whose rows come in all formats, and that may answer 304.

    `needed` are parameters it refuses to do without, though Litestar does not know.
    """

    needed: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        """Add what Litestar cannot derive: one schema per status and media type is all it knows."""
        for parameter in self.parameters or ():
            if isinstance(parameter, OpenAPIParameter) and parameter.name in self.needed:
                parameter.required = True
        responses: Any = self.responses or {}
        answer = responses.get("200")
        if answer is None or isinstance(answer, Reference) or not answer.content:
            return
        rows = next(iter(answer.content.values()))
        answer.content = {
            entry.media_type: rows if entry.name == "json" else OpenAPIMediaType() for entry in FORMATS.values()
        }
        self.responses = {**responses, "304": OpenAPIResponse(description="the caller's ETag still holds")}
