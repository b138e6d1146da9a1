"""Takes the token from where Binance's and CoinGecko's clients put their API key, before anything else sees it.

From here on it is a bearer token in a header like any other, and a query string no longer holds it.
"""

from typing import Any, Final, cast
from urllib.parse import unquote_plus

from litestar.openapi.spec import SecurityScheme
from litestar.types import HTTPScope

from api.http.errors import ConflictingKeys, RepeatedParameter

BINANCE: Final = "/binance/"
COINGECKO: Final = "/coingecko/"
"""What the paths of these drop-ins begin with."""
DROP_INS: Final = (BINANCE, COINGECKO)
_HEADERS: Final = {
    BINANCE: (b"x-mbx-apikey",),
    COINGECKO: (b"x-cg-demo-api-key", b"x-cg-pro-api-key"),
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


def take_key(scope: HTTPScope, given: dict[bytes, bytes]) -> None:
    """Turn the API key of a request into a bearer token, in the scope and in `given`, its headers by name.

    An `Authorization` header beats an API key, wrong or not; the key is taken out of the query all the same.

    Raises:
        RepeatedParameter: a key's parameter is sent twice.        ConflictingKeys: there are several that differ.
    """
    path = scope["path"]
    if path.startswith(COINGECKO):
        _move_key(scope, given, _HEADERS[COINGECKO], in_query=True)
    elif path.startswith(BINANCE):
        _move_key(scope, given, _HEADERS[BINANCE], in_query=False)


def _move_key(scope: HTTPScope, given: dict[bytes, bytes], names: tuple[bytes, ...], *, in_query: bool) -> None:
    keys = {given[name] for name in names if given.get(name)}
    if in_query:
        keys |= _cut_from_query(scope)
    if len(keys) > 1:
        raise ConflictingKeys("the request has several API keys, and they differ; send one")
    if keys and b"authorization" not in given:
        given[b"authorization"] = b"Bearer " + keys.pop()
        scope["headers"] = [*scope["headers"], (b"authorization", given[b"authorization"])]


def _cut_from_query(scope: HTTPScope) -> set[bytes]:
    """Take the parameters that hold API keys out of the query string; their values."""
    kept: list[bytes] = []
    keys: dict[str, list[bytes]] = {}
    for part in scope["query_string"].split(b"&"):
        name, _, value = part.partition(b"=")
        spelt = unquote_plus(name.decode("latin-1"))
        if spelt in _PARAMETERS:
            keys.setdefault(spelt, []).append(unquote_plus(value.decode("latin-1")).encode("latin-1", "replace"))
        else:
            kept.append(part)
    scope["query_string"] = b"&".join(kept)
    for repeated, values in keys.items():
        if len(values) > 1:
            detail = f"{repeated} is sent {len(values)} times; send it once"
            raise RepeatedParameter(detail, fields={"parameter": repeated})
    return {value for values in keys.values() for value in values if value}
