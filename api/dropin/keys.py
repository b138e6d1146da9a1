"""Takes the token from where Binance's and CoinGecko's clients put their API key, before anything else sees it.

From here on it is a bearer token in a header like any other, and a query string no longer holds it. Whose it is, is
not known here.
"""

from typing import Any, Final, cast
from urllib.parse import unquote_plus

from litestar.openapi.spec import SecurityScheme
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

_BINANCE: Final = "/binance/"
_COINGECKO: Final = "/coingecko/"
_HEADERS: Final = {
    _BINANCE: (b"x-mbx-apikey",),
    _COINGECKO: (b"x-cg-demo-api-key", b"x-cg-pro-api-key"),
}
_PARAMETERS: Final = frozenset({"x_cg_demo_api_key", "x_cg_pro_api_key"})
KEY_HEADERS: Final = tuple(name.decode() for names in _HEADERS.values() for name in names)
"""The headers API keys come in."""


def _scheme(name: str, place: str) -> SecurityScheme:
    return SecurityScheme(
        type="apiKey", name=name, security_scheme_in=cast("Any", place), description="the same token as for `bearer`"
    )


SCHEMES: Final = {
    "binanceKey": _scheme("X-MBX-APIKEY", "header"),
    "coingeckoDemoKey": _scheme("x-cg-demo-api-key", "header"),
    "coingeckoProKey": _scheme("x-cg-pro-api-key", "header"),
    "coingeckoDemoParameter": _scheme("x_cg_demo_api_key", "query"),
    "coingeckoProParameter": _scheme("x_cg_pro_api_key", "query"),
}
"""The same places, as the OpenAPI schema names them."""


class ApiKeys:
    """An ASGI layer around the whole application. An `Authorization` header beats an API key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its API key turned into a bearer token."""
        if scope["type"] == "http":  # type: ignore[comparison-overlap]
            request = cast("HTTPScope", scope)
            for prefix, names in _HEADERS.items():
                if request["path"].startswith(prefix):
                    _move_key(request, names, in_query=prefix == _COINGECKO)
        await self._app(scope, receive, send)


def _move_key(scope: HTTPScope, names: tuple[bytes, ...], *, in_query: bool) -> None:
    headers = list(scope["headers"])
    keys = [value for name, value in headers if name in names]
    if in_query:
        keys += _cut_from_query(scope)
    if keys and not any(name == b"authorization" for name, _ in headers):
        scope["headers"] = [*headers, (b"authorization", b"Bearer " + keys[0])]


def _cut_from_query(scope: HTTPScope) -> list[bytes]:
    """Take the parameters that hold API keys out of the query string; their values."""
    kept, keys = [], []
    for part in scope["query_string"].split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_plus(name.decode("latin-1")) in _PARAMETERS:
            keys.append(unquote_plus(value.decode("latin-1")).encode("latin-1", "replace"))
        else:
            kept.append(part)
    scope["query_string"] = b"&".join(kept)
    return [key for key in keys if key]
