"""What is known of one request: its id, the headers every request is judged by, who asks, and how long what took.

One is made for each request before anything else happens to it, hot ones included, so making one avoids regular
expressions and loops over headers.
"""

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from litestar.connection import ASGIConnection
from litestar.types import HTTPScope, Scope

_KEY: Final = "request_context"
PUBLIC_URL: Final = "public_url"
"""In the state of a request's scope: the URL that callers know this server by."""
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS: Final = secrets.token_hex(4).encode()
_numbers: Final = itertools.count(secrets.randbelow(1 << 24))
TIME_UNIT_HEADER: Final = "X-MBX-TIME-UNIT"
"""Binance's header for the unit of times, on which answers of its drop-in depend."""
_TIME_UNIT: Final = TIME_UNIT_HEADER.lower().encode()
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the account's name, and a digest that tells tokens apart without being one."""

    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window: `remaining` requests for `reset_s` seconds; `granted`: whether this one may pass."""

    limit: int
    remaining: int
    reset_s: int
    granted: bool


class RequestContext:
    """One request.

    Attributes:
        began_s: when it came in, by `time.perf_counter`.
        request_id: the caller's, or one of ours.
        headers: all of them by name.
        authorization, if_none_match, accept, accept_encoding: the headers of these names.
        time_unit: the header of Binance's drop-in.
        path, query: of the URL, as it came in, but for tokens.        secret_in_url: whether there was one in it.
        public_url: what the URLs of this server begin with for callers; "" where that is not known.
        principal: who asks, once that is known.        allowance: what is left of its rate, where there is a limit.
        timings: what took how long, as `Server-Timing` has it.
    """

    __slots__ = (
        "accept",
        "accept_encoding",
        "allowance",
        "authorization",
        "began_s",
        "headers",
        "if_none_match",
        "path",
        "principal",
        "public_url",
        "query",
        "request_id",
        "secret_in_url",
        "time_unit",
        "timings",
    )

    def __init__(self, scope: HTTPScope) -> None:
        self.began_s = time.perf_counter()
        self.principal: Principal | None = None
        self.allowance: Allowance | None = None
        self.timings: list[str] = []
        self.secret_in_url = False
        self.public_url: str = scope.get("state", {}).get(PUBLIC_URL, "")
        self.take(scope, dict(cast("Headers", scope["headers"])))
        named = self.headers.get(b"x-request-id")
        if named is not None and _REQUEST_ID.fullmatch(named):
            self.request_id = named
        else:
            self.request_id = b"%s%08x" % (_PROCESS, next(_numbers))
        scope.setdefault("state", {})[_KEY] = self

    def take(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> None:
        """Go by the URL of the scope and by these headers from now on."""
        self.path, self.query = scope["path"], scope["query_string"]
        self.headers = headers
        given = headers.get
        self.authorization: bytes | None = given(b"authorization")
        self.if_none_match: bytes | None = given(b"if-none-match")
        self.accept: bytes = given(b"accept", b"")
        self.accept_encoding: bytes = given(b"accept-encoding", b"")
        self.time_unit: bytes = given(_TIME_UNIT, b"")

    @classmethod
    def of(cls, scope: Scope) -> "RequestContext":
        """The one of a request; made now, where nothing came before the application."""
        found: RequestContext | None = scope.setdefault("state", {}).get(_KEY)
        return cls(cast("HTTPScope", scope)) if found is None else found

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long the block takes."""
        began_s = time.perf_counter()
        yield
        self.timings.append(f"{what};dur={(time.perf_counter() - began_s) * 1000:.2f}")

    def answer_headers(self, *timings: str) -> Headers:
        """The headers that tell of an answer's request: its id, how long it took, and what is left of a rate."""
        total = f"total;dur={(time.perf_counter() - self.began_s) * 1000:.2f}"
        told = [(b"x-request-id", self.request_id), (b"server-timing", ", ".join((*timings, total)).encode())]
        left = self.allowance
        if left is not None:
            told += [
                (b"ratelimit-limit", b"%d" % left.limit),
                (b"ratelimit-remaining", b"%d" % left.remaining),
                (b"ratelimit-reset", b"%d" % left.reset_s),
            ]
        return told


def principal_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Who asks, of a request that passed the guard of tokens."""
    principal = RequestContext.of(connection.scope).principal
    if principal is None:
        raise RuntimeError("the endpoint has no guard that says who asks")
    return principal
