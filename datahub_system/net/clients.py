"""The one place that makes HTTP clients of httpx: which proxy each request takes, and which headers a redirect keeps.

Every client here
- asks `proxies` for each request, also for each one that follows a redirect, and takes nothing else from the
  environment but certificate authorities, which `certificates` reads: no .netrc, and no proxies as httpx reads them;
- sends what may be a secret to nobody but the host it was made for: a redirect to another origin is followed with a few
  harmless headers only;
- keeps no cookies: nothing that is asked here needs them, and they are not told apart by port.

`hub_sessions` has the same for huggingface_hub, whose sessions are httpx2's.
"""

import http.client
import logging
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx

from datahub_system.certificates import tls_context
from datahub_system.net.proxies import Proxies, Proxy

T = TypeVar("T")

DEFAULT_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20)
_ORIGIN: Final = "datahub.origin"
_FOLLOWING_HEADERS: Final = frozenset(
    {
        *("host", "user-agent", "accept", "accept-encoding", "accept-language", "connection", "range"),
        *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"),
        *("content-type", "content-length", "content-encoding", "transfer-encoding"),
    }
)
"""What may follow a redirect to another origin. A list of what is harmless: nobody can list all names of API keys."""

log = logging.getLogger(__name__)
_warned: set[str] = set()


class Url(Protocol):
    """What `httpx.URL` and `httpx2.URL` have in common."""

    @property
    def scheme(self) -> str: ...  # noqa: D102
    @property
    def raw_host(self) -> bytes: ...  # noqa: D102
    @property
    def port(self) -> int | None: ...  # noqa: D102


class Outgoing(Protocol):
    """What `httpx.Request` and `httpx2.Request` have in common."""

    extensions: Any
    headers: Any

    @property
    def url(self) -> Url: ...  # noqa: D102


def environment_proxies(*, warn: Callable[[str], None] = log.warning) -> Proxies:
    """The proxies of this process's environment; what of it cannot be read is told to `warn`, once a process.

    Raises:
        UnusableProxy: a variable names a proxy that cannot be used.
    """
    proxies = Proxies.from_env(os.environ)
    if proxies.warning is not None and proxies.warning not in _warned:
        _warned.add(proxies.warning)
        warn(proxies.warning)
    return proxies


def proxy_of(url: str) -> Proxy | None:
    """The proxy that requests to a URL take; str() of it is fit for messages."""
    parts = urlsplit(url)
    return environment_proxies().of(parts.scheme, parts.hostname or "", parts.port)


def via(url: str) -> str:
    """For messages: ` through the proxy …`, or nothing where a URL is reached directly."""
    proxy = proxy_of(url)
    return "" if proxy is None else f" through the {proxy}"


def client(
    *,
    timeout: httpx.Timeout | float,
    headers: Mapping[str, str] | None = None,
    limits: httpx.Limits = DEFAULT_LIMITS,
    follow_redirects: bool = False,
    direct: bool = False,
) -> httpx.Client:
    """A blocking client, safe to share between threads. Limits hold for each proxy, and for what is reached directly.

    Args:
        direct: never use a proxy: for requests to other processes of the stack, whatever address they listen on.
    """
    return httpx.Client(
        transport=_Transport(Proxies() if direct else environment_proxies(), limits),
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        cookies=no_cookies(),
        event_hooks={"request": [keep_secrets_home]},
        trust_env=False,
    )


def async_client(
    *,
    timeout: httpx.Timeout | float,
    headers: Mapping[str, str] | None = None,
    limits: httpx.Limits = DEFAULT_LIMITS,
    follow_redirects: bool = False,
    direct: bool = False,
) -> httpx.AsyncClient:
    """As `client`, for asyncio."""
    return httpx.AsyncClient(
        transport=_AsyncTransport(Proxies() if direct else environment_proxies(), limits),
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        cookies=no_cookies(),
        event_hooks={"request": [_keep_secrets_home]},
        trust_env=False,
    )


def get(
    url: str, *, timeout: float, headers: Mapping[str, str], follow_redirects: bool = False, direct: bool = False
) -> httpx.Response:
    """One GET with a client of its own.

    Raises:
        httpx.HTTPError: no answer.
    """
    with client(timeout=timeout, headers=headers, follow_redirects=follow_redirects, direct=direct) as once:
        return once.get(url)


def local_status(host: str, port: int, path: str, *, timeout_s: float) -> int | None:
    """The status that a process of the stack answers a GET with, None without an answer; never through a proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def keep_secrets_home(request: Outgoing) -> None:
    """Before each request, a followed redirect included: one that has left its first origin loses its secrets.

    The step from http to https of the same host, both on their default ports, is not leaving: the host is the one that
    the secrets are meant for, and from then on nobody else can read them. httpx judges Authorization alike.
    """
    origin = _origin(request.url)
    first = request.extensions.setdefault(_ORIGIN, origin)
    if origin == first or (first == ("http", origin[1], 80) and origin[0] == "https" and origin[2] == 443):  # noqa: PLR2004
        return
    for name in [name for name in request.headers if name.lower() not in _FOLLOWING_HEADERS]:
        del request.headers[name]


async def _keep_secrets_home(request: Outgoing) -> None:
    keep_secrets_home(request)


def no_cookies() -> CookieJar:
    """A jar that takes none."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


class Routes(Generic[T]):
    """A transport for each proxy, and one for what is reached directly, made when first needed."""

    def __init__(self, proxies: Proxies, make: Callable[[str | None], T]) -> None:
        self._proxies = proxies
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[str | None, T] = {}

    def of(self, url: Url) -> T:
        """The transport for a request to this URL."""
        proxy = self._proxies.for_url(url.scheme, url.raw_host.decode("ascii"), url.port)
        with self._lock:
            if proxy not in self._made:
                self._made[proxy] = self._make(proxy)
            return self._made[proxy]

    def all(self) -> list[T]:
        """Those that have been made."""
        with self._lock:
            return list(self._made.values())


class _Transport(httpx.BaseTransport):
    def __init__(self, proxies: Proxies, limits: httpx.Limits) -> None:
        self._routes = Routes(proxies, lambda proxy: httpx.HTTPTransport(**_options(proxy, limits)))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._routes.of(request.url).handle_request(request)

    def close(self) -> None:
        for transport in self._routes.all():
            transport.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, proxies: Proxies, limits: httpx.Limits) -> None:
        self._routes = Routes(proxies, lambda proxy: httpx.AsyncHTTPTransport(**_options(proxy, limits)))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._routes.of(request.url).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._routes.all():
            await transport.aclose()


def _options(proxy: str | None, limits: httpx.Limits) -> dict[str, Any]:
    secure = proxy is not None and proxy.startswith("https:")
    via_proxy = httpx.Proxy(proxy, ssl_context=_tls() if secure else None) if proxy is not None else None
    return {"verify": _tls(), "trust_env": False, "limits": limits, "proxy": via_proxy}


@cache
def _tls() -> ssl.SSLContext:
    """The certificate authorities: certifi's, or those that a variable names."""
    return tls_context(lambda: httpx.create_ssl_context(trust_env=False))


def _origin(url: Url) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port or {"http": 80, "https": 443}.get(url.scheme)
