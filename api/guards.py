"""What a request must fulfil before its handler runs: a good token, its rate, and no unknown parameters."""

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from api.auth import Authenticator
from api.errors import RateLimited, UnknownParameter
from api.ratelimit import RateLimiter

_RESERVED: Final = frozenset(
    {"self", "request", "state", "headers", "scope", "socket", "cookies", "query", "body", "data", "return"}
)


def token_guard(authenticator: Authenticator, limiter: RateLimiter) -> Guard:
    """A guard that lets a request pass that bears a token that may read here, and counts it.

    A function, since Litestar copies routers with all they hold, and there must be one limiter only. The guard raises
    TokenMissing, TokenRefused, TooManyUnknownTokens, RateLimited and HubError.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        header = connection.headers.get("authorization")
        principal = await authenticator.authenticate(header.encode("latin-1") if header is not None else None)
        allowance = limiter.take(principal.digest)
        connection.scope["state"]["allowance"] = allowance
        if allowance is not None and not allowance.granted:
            raise RateLimited(
                f"this token made its {allowance.limit} requests of this minute",
                headers={"Retry-After": str(allowance.reset_s)},
            )

    return guard


async def known_parameters_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse query parameters the handler does not take: a misspelt one would silently change the answer.

    Async though it waits for nothing: Litestar runs other guards in a thread.

    Raises:
        UnknownParameter: names them and lists those there are.
    """
    if not connection.scope["query_string"]:
        return
    known = _KNOWN.get(handler.fn)  # guards get a copy of the handler each time, with the same function
    if known is None:
        known = _KNOWN[handler.fn] = _parameters(handler)
    unknown = set(connection.query_params.keys()) - known
    if unknown:
        raise UnknownParameter.of(unknown, valid=known)


_KNOWN: Final[dict[Any, frozenset[str]]] = {}


def _parameters(handler: BaseRouteHandler) -> frozenset[str]:
    """Names of a handler's query parameters, those of its dependencies included."""
    dependencies = handler.resolve_dependencies()
    names: set[str] = set()
    pending = [handler.parsed_fn_signature]
    while pending:
        for name, field in pending.pop().parameters.items():
            if name in dependencies:
                pending.append(dependencies[name].parsed_fn_signature)
            elif name not in _RESERVED:
                names.add(getattr(field.kwarg_definition, "name", None) or name)
    return frozenset(names)
