"""Request bodies: how many bytes and which media types an endpoint takes, and reading no more than that."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from localhub.errors import LocalHubError, bad_request, too_large

JSON = "application/json"
NDJSON = "application/x-ndjson"
LFS_JSON = "application/vnd.git-lfs+json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Body:
    """What an endpoint takes: at most `max_bytes`, as one of `types`; with `token`, only from a caller who sent one.

    No type a web page can send to another site unasked (text/plain, multipart/form-data) is ever among them, and
    `FORM` only where nothing is changed.
    """

    max_bytes: int
    types: tuple[str, ...] = (JSON,)
    token: bool = True


async def read_body(request: Request, rule: Body) -> bytes:
    """The whole body; b"" if there is none, whatever its type.

    Raises:
        HubError: 413 beyond the rule's bytes, 415 for a body of another type.
    """
    body = await read_bytes(request, rule.max_bytes)
    if body:
        check_type(request, rule.types)
    return body


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """The whole body, whatever its type.

    Raises:
        HubError: 413 beyond `max_bytes`.
    """
    _refuse_announced(request, max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_long(max_bytes)
    return bytes(body)


def check_type(request: Request, types: tuple[str, ...]) -> None:
    """Let a request through if its Content-Type is one of `types`.

    Raises:
        HubError: 415, naming the types that would do.
    """
    if media_type(request) not in types:
        raise LocalHubError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body with Content-Type {' or '.join(types)}")


def media_type(request: Request) -> str:
    """The Content-Type without parameters, in lower case; "" if there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def announced_bytes(request: Request) -> int | None:
    """The Content-Length, None if there is none.

    Raises:
        HubError: 400 if it is no number.
    """
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(2**63)):
        raise bad_request("The Content-Length is not a number of bytes")
    return int(text)


def _refuse_announced(request: Request, max_bytes: int) -> None:
    announced = announced_bytes(request)
    if announced is not None and announced > max_bytes:
        raise _too_long(max_bytes)


def _too_long(max_bytes: int) -> LocalHubError:
    return too_large(f"The body is larger than {max_bytes} bytes")
