"""What a request must fulfil before its handler runs: a good token, its rate, and parameters it knows, each once."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import HeaderParameter
from litestar.types import Guard

from api.access.auth import Authenticator
from api.access.rate_limit import RateLimiter
from api.http.errors import RateLimited, RepeatedParameter, UnknownParameter

ANYTHING: Final = "any_parameters"
"""In a handler's `opt`: it answers the same whatever the parameters are."""
_RESERVED: Final = frozenset(
    {"self", "request", "state", "headers", "scope", "socket", "cookies", "query", "body", "data", "return"}
)


def token_guard(authenticator: Authenticator, limiter: RateLimiter) -> Guard:
    """A guard that requires a valid token, and counts the request.

    A function, since Litestar copies routers with all they hold, and there must be one limiter only. The guard raises
    TokenMissing, TokenRefused, TooManyUnknownTokens, RateLimited and HubError.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        header, address = credentials(connection)
        principal = await authenticator.authenticate(header, address=address)
        allowance = limiter.take(principal.digest)
        connection.scope["state"]["allowance"] = allowance
        connection.scope["state"]["principal"] = principal
        if allowance is not None and not allowance.granted:
            raise RateLimited(
                f"this token made its {allowance.limit} requests of this minute",
                headers={"Retry-After": str(allowance.reset_s)},
            )

    return guard


def credentials(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[bytes | None, str | None]:
    """The `Authorization` header of a request, of which there is one at most (see `arrival`), and its client's address.

    The address is the one a trusted proxy names, if the request came through one.
    """
    header = connection.headers.get("authorization")
    client = connection.client
    return (None if header is None else header.encode("latin-1")), (None if client is None else client.host)


async def known_parameters_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse query parameters the handler does not take: a misspelt one would silently change the answer.

    Async though it waits for nothing: Litestar runs other guards in a thread.

    Raises:
        UnknownParameter: names them and lists those there are.        RepeatedParameter: as `each_parameter_once`.
    """
    if not connection.scope["query_string"] or connection.scope.get("method") == "OPTIONS" or ANYTHING in handler.opt:
        return
    known = query_parameters(handler)
    unknown = set(connection.query_params.keys()) - known.keys()
    if unknown:
        raise UnknownParameter.of(unknown, valid=known)
    await each_parameter_once(connection, handler)


async def each_parameter_once(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a parameter of one value that has several: which of them is meant is anybody's guess. Lists may repeat.

    Raises:
        RepeatedParameter: names it.
    """
    if not connection.scope["query_string"]:
        return
    given = Counter(name for name, _ in connection.query_params.multi_items())
    if given.total() == len(given):
        return
    known = query_parameters(handler)
    for name, times in given.items():
        if times > 1 and not known.get(name, True):
            raise RepeatedParameter.of(name, connection.query_params.getall(name))


def query_parameters(handler: BaseRouteHandler) -> Mapping[str, bool]:
    """A handler's query parameters, those of its dependencies included, and of each whether it is a list."""
    known = _KNOWN.get(handler.fn)  # guards get a copy of the handler each time, with the same function
    if known is None:
        known = _KNOWN[handler.fn] = dict(_parameters(handler))
    return known


_KNOWN: Final[dict[Any, Mapping[str, bool]]] = {}


def _parameters(handler: BaseRouteHandler) -> Iterator[tuple[str, bool]]:
    dependencies = handler.resolve_dependencies()
    pending = [handler.parsed_fn_signature]
    while pending:
        for name, field in pending.pop().parameters.items():
            if name in dependencies:
                pending.append(dependencies[name].parsed_fn_signature)
            elif name not in _RESERVED and not isinstance(field.kwarg_definition, HeaderParameter):
                yield getattr(field.kwarg_definition, "name", None) or name, field.is_non_string_sequence
