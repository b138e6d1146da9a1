"""Takes the token out of a URL, before anything else sees it: for clients that cannot set headers.

From here on it is a credential in a header like any other, and the query string no longer holds it: no cache, link,
permalink, message or log can repeat it.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

from litestar.openapi.spec import SecurityScheme
from litestar.types import HTTPScope

from api.access.credentials import FROM_URL
from api.http.errors import RepeatedParameter, TokenRefused

PARAMETER: Final = "token"
_ESCAPED_NAME: Final = re.compile(rb"(?:^|&)[^=&]*%")
_READING: Final = frozenset({"GET", "HEAD"})

SCHEMES: Final = {
    "basic": SecurityScheme(
        type="http", scheme="basic", description="a token made with `datahub token add NAME`, as password or as user"
    ),
    "urlToken": SecurityScheme(
        type="apiKey",
        name=PARAMETER,
        security_scheme_in="query",
        description="a token made with `datahub token add NAME --url`, for clients that cannot set headers",
    ),
}
"""How client tokens come in besides as bearer tokens, as the OpenAPI schema names it."""
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"basic": []}, {"urlToken": []}]
"""The schemes any of which opens an endpoint that wants a token."""


def may_hold_token(query: bytes) -> bool:
    """Whether `cut` should look at a query string, told at a glance."""
    return b"token" in query or (b"%" in query and _ESCAPED_NAME.search(query) is not None)


def cut(scope: HTTPScope) -> list[bytes]:
    """Take the tokens out of the query string; they are returned, empty ones too."""
    query = scope["query_string"]
    if not may_hold_token(query):
        return []
    kept, tokens = [], []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_plus(name.decode("latin-1")) == PARAMETER:
            tokens.append(unquote_plus(value.decode("latin-1")).encode("latin-1", "replace"))
        else:
            kept.append(part)
    scope["query_string"] = b"&".join(kept)
    return tokens


def take(scope: HTTPScope, given: dict[bytes, bytes], tokens: list[bytes]) -> None:
    """Turn the token that was cut out into a credential in `given`, the headers by name.

    An `Authorization` header beats it, wrong or not. What asks whether a page may send a request carries no token that
    counts, and is let pass.

    Raises:
        RepeatedParameter: there are several.        TokenRefused: the request may do more than read.
    """
    if not any(tokens) or scope["method"] == "OPTIONS":
        return
    if len(tokens) > 1:
        detail = f"{PARAMETER} is sent {len(tokens)} times; send it once"
        raise RepeatedParameter(detail, fields={"parameter": PARAMETER})
    if scope["method"] not in _READING:
        raise TokenRefused("a token in the URL is for GET and HEAD only; send it in the header `Authorization`")
    given.setdefault(b"authorization", FROM_URL + tokens[0])
