"""A close look at a request that is not plain: a header comes twice, URL or headers are long, or tokens are elsewhere.

Which requests those are, the front tells at a glance, as it is asked of every one.
"""

from typing import Final

from litestar.types import HTTPScope

from api.access import url_tokens
from api.access.api_keys import DROP_INS, KEY_HEADERS, take_key
from api.http.context import TIME_UNIT_HEADER, Headers, RequestContext
from api.http.errors import HeadersTooLarge, RepeatedHeader, UrlTooLong
from api.http.reading import MOST_PARAMETERS
from datahub_system.net.headers import ONLY_ONCE

MOST_HEADERS: Final = 100
MOST_FIELD_BYTES: Final = 16 * 1024
"""The longest value of a header."""
MOST_HEADER_BYTES: Final = 32 * 1024
"""Names and values of all headers."""
MOST_PATH: Final = 1024
MOST_QUERY_BYTES: Final = 32 * 1024
"""500 symbols or coin ids, the most of a list, fit, percent-encoded too; so does a long statement."""
SHORT_URL: Final = MOST_PARAMETERS
"""Path and query of so few characters are within all bounds."""
_ONCE: Final = ONLY_ONCE | {
    *(b"x-webhook-secret", b"last-event-id", TIME_UNIT_HEADER.lower().encode()),
    *(name.encode() for name in KEY_HEADERS),
}
"""Headers with one value, of which a second one would contradict the first."""
_LISTS: Final = frozenset({b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"if-none-match"})
"""Headers that are lists, which may be sent in several lines (RFC 9110, 5.3)."""


def check_closely(scope: HTTPScope, context: RequestContext) -> None:
    """Look at a request; headers that are lists become one line each in it, API keys and tokens an `Authorization`.

    Raises:
        HeadersTooLarge, UrlTooLong: over a bound.        RepeatedHeader: a header of one value comes twice.
        RepeatedParameter, ConflictingKeys, TokenRefused: of an API key or a token in the URL.
    """
    tokens = url_tokens.cut(scope)
    headers: Headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    given = context.headers if len(context.headers) == len(headers) else _merged(scope, headers)
    _check_headers(given)
    _check_url(scope)
    if scope["path"].startswith(DROP_INS):
        take_key(scope, given)
    url_tokens.take(scope, given, tokens)
    context.take(scope, given)


def _merged(scope: HTTPScope, headers: Headers) -> dict[bytes, bytes]:
    """The headers by name, those that came several times merged or refused; the scope gets the merged lines."""
    _check_count(len(headers))
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    for name, values in lines.items():
        if len(values) > 1 and name in _ONCE:
            raise RepeatedHeader.of(name.decode("latin-1"), len(values))
    merged = {name: b", ".join(values) for name, values in lines.items()}
    others = [(name, value) for name, value in headers if name not in _LISTS]
    scope["headers"] = [*others, *((name, merged[name]) for name in merged if name in _LISTS)]
    return merged


def _check_headers(given: dict[bytes, bytes]) -> None:
    _check_count(len(given))
    total = sum(map(len, given)) + sum(map(len, given.values()))
    if total > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers have {total:,} bytes; {MOST_HEADER_BYTES:,} are accepted")
    for name, value in given.items():
        if len(value) > MOST_FIELD_BYTES:
            shown = name[:64].decode("latin-1")
            raise HeadersTooLarge(
                f"the header {shown} has {len(value):,} bytes; {MOST_FIELD_BYTES:,} are accepted",
                fields={"parameter": shown},
            )


def _check_count(count: int) -> None:
    if count > MOST_HEADERS:
        raise HeadersTooLarge(f"there are {count} headers; {MOST_HEADERS} are accepted")


def _check_url(scope: HTTPScope) -> None:
    query = scope["query_string"]
    if len(scope["path"]) > MOST_PATH:
        raise UrlTooLong(f"the path has {len(scope['path']):,} characters; {MOST_PATH:,} are accepted")
    if len(query) > MOST_QUERY_BYTES:
        raise UrlTooLong(
            f"the query has {len(query):,} bytes; {MOST_QUERY_BYTES:,} are accepted. SQL can be sent with POST"
        )
    if query.count(b"&") >= MOST_PARAMETERS:
        raise UrlTooLong(f"the query has {query.count(b'&') + 1:,} parameters; {MOST_PARAMETERS} are accepted")
