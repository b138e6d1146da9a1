"""A request as it comes in: its id, the headers that matter to every request, and the bounds on its URL and headers.

This is read once for every request, hot ones included, so it avoids regular expressions and loops over headers.
"""

import itertools
import re
import secrets
import time
from typing import Final, cast

from litestar.types import HTTPScope

from api.access.api_keys import DROP_INS, KEY_HEADERS, take_key
from api.http.errors import HeadersTooLarge, RepeatedHeader, UrlTooLong
from datahub_system.net.headers import ONLY_ONCE

MOST_HEADERS: Final = 100
MOST_FIELD_BYTES: Final = 16 * 1024
"""The longest value of a header."""
MOST_HEADER_BYTES: Final = 32 * 1024
"""Names and values of all headers."""
MOST_PATH: Final = 1024
MOST_QUERY_BYTES: Final = 32 * 1024
"""500 symbols or coin ids, the most of a list, fit, percent-encoded too; so does a long statement."""
MOST_PARAMETERS: Final = 512
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS: Final = secrets.token_hex(4).encode()
_numbers: Final = itertools.count(secrets.randbelow(1 << 24))
_ONCE: Final = ONLY_ONCE | {b"x-webhook-secret", b"last-event-id", *(name.encode() for name in KEY_HEADERS)}
"""Headers with one value, of which a second one would contradict the first."""
_LISTS: Final = frozenset({b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"if-none-match"})
"""Headers that are lists, which may be sent in several lines (RFC 9110, 5.3)."""


class Arrival:
    """When a request came in, its id, and the headers that matter in the outermost layer."""

    __slots__ = ("accept", "accept_encoding", "authorization", "began_s", "if_none_match", "is_preflight", "request_id")

    def __init__(self) -> None:
        self.began_s = time.perf_counter()
        self.request_id = b""

    @property
    def seconds(self) -> float:
        """Time since it came in."""
        return time.perf_counter() - self.began_s

    def read(self, scope: HTTPScope) -> None:
        """Read the request; headers that are lists become one line each in it, and API keys an `Authorization`.

        Raises:
            HeadersTooLarge, UrlTooLong: over a bound.        RepeatedHeader: a header of one value comes twice.
            RepeatedParameter, ConflictingKeys: of an API key.
        """
        headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
        given = dict(headers)
        header = given.get
        named = header(b"x-request-id")
        if named is not None and _REQUEST_ID.fullmatch(named):
            self.request_id = named
        else:
            self.request_id = b"%s%08x" % (_PROCESS, next(_numbers))
        if len(given) != len(headers):
            given = _merged(scope, headers)
            header = given.get
        if len(given) > MOST_HEADERS or len(b"".join(given)) + len(b"".join(given.values())) > MOST_FIELD_BYTES:
            _check_headers(given)
        path = scope["path"]
        if len(path) + len(scope["query_string"]) > MOST_PARAMETERS:
            _check_url(scope)
        if path.startswith(DROP_INS):
            take_key(scope, given)
        self.authorization: bytes | None = header(b"authorization")
        self.if_none_match: bytes | None = header(b"if-none-match")
        self.accept: bytes = header(b"accept", b"")
        self.accept_encoding: bytes = header(b"accept-encoding", b"")
        self.is_preflight = b"access-control-request-method" in given


def _merged(scope: HTTPScope, headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
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
