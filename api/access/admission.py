"""Who may pass: requests with a good token, as many of each token as its rate allows."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from api.access.auth import Authenticator
from api.http.context import Allowance, RequestContext
from api.http.errors import RateLimited

_WINDOW_S: Final = 60.0
_REMEMBERED: Final = 10_000


class RateLimiter:
    """At most `per_minute` requests per key and minute; 0 switches it off. For use from one thread."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._windows: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def take(self, key: bytes) -> Allowance | None:
        """Count a request; None when there is no limit. A request that is not granted is not counted."""
        if not self._limit:
            return None
        now_s = self._clock()
        began_s, used = self._windows.get(key, (now_s, 0))
        if now_s - began_s >= _WINDOW_S:
            began_s, used = now_s, 0
        granted = used < self._limit
        self._windows[key] = (began_s, used + granted)
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
        reset_s = math.ceil(began_s + _WINDOW_S - now_s)
        return Allowance(self._limit, self._limit - used - granted, reset_s, granted)


class Admission:
    """Lets requests pass, and notes in their context whose they are and what is left of the rate."""

    def __init__(self, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    def passes_at_once(self, context: RequestContext) -> bool:
        """Whether a request may pass for all that is known here; if not, `admit` finds out, and says why it may not."""
        principal = self._authenticator.known_principal(context.authorization)
        if principal is None:
            return False
        allowance = self._limiter.take(principal.digest)
        if allowance is not None and not allowance.granted:
            return False
        context.principal, context.allowance = principal, allowance
        return True

    async def admit(self, context: RequestContext, *, address: str | None) -> None:
        """Let a request from that address pass; the Hub may be asked about its token.

        Raises:
            TokenMissing, TokenRefused, TooManyUnknownTokens, HubError: as `Authenticator.authenticate`.
            RateLimited: the token made all its requests of this minute.
        """
        context.principal = await self._authenticator.authenticate(context.authorization, address=address)
        allowance = context.allowance = self._limiter.take(context.principal.digest)
        if allowance is not None and not allowance.granted:
            raise RateLimited(
                f"this token made its {allowance.limit} requests of this minute",
                headers={"Retry-After": str(allowance.reset_s)},
            )


def token_guard(admission: Admission) -> Guard:
    """The guard of endpoints that need a token. Raises as `Admission.admit`.

    A function, since Litestar copies routers with all they hold, and there must be one limiter only.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        await admission.admit(RequestContext.of(connection.scope), address=address_of(connection))

    return guard


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The client's address: the one a trusted proxy names, if the request came through one."""
    return None if connection.client is None else connection.client.host
