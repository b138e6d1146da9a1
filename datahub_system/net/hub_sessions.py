"""The one place that makes HTTP clients of httpx2, those of huggingface_hub; `clients` says what is promised for them.

`datasets` asks the Hub by huggingface_hub's sessions too, so they hold for it in the same process.
"""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx2
from huggingface_hub import set_async_client_factory, set_client_factory

from datahub_system.certificates import tls_context
from datahub_system.net.clients import Routes, environment_proxies, keep_secrets_home, no_cookies
from datahub_system.net.proxies import Proxies


class HubSession(httpx2.Client):
    """A session as huggingface_hub makes them, with its requests routed and its secrets kept as in `clients`."""

    def __init__(self) -> None:
        super().__init__(
            transport=_HubTransport(environment_proxies()),
            follow_redirects=True,
            timeout=None,
            cookies=no_cookies(),
            event_hooks={"request": [keep_secrets_home]},
            trust_env=False,
        )


class AsyncHubSession(httpx2.AsyncClient):
    """The same for asyncio."""

    def __init__(self) -> None:
        super().__init__(
            transport=_AsyncHubTransport(environment_proxies()),
            follow_redirects=True,
            timeout=None,
            cookies=no_cookies(),
            event_hooks={"request": [_keep_secrets_home]},
            trust_env=False,
        )


def use_in_huggingface_hub(session: Callable[[], HubSession] = HubSession) -> None:
    """From now on huggingface_hub makes its sessions here; one that is open is closed."""
    set_client_factory(session)
    set_async_client_factory(AsyncHubSession)


async def _keep_secrets_home(request: httpx2.Request) -> None:
    keep_secrets_home(request)


class _HubTransport(httpx2.BaseTransport):
    def __init__(self, proxies: Proxies) -> None:
        self._routes = Routes(proxies, lambda proxy: httpx2.HTTPTransport(**_options(proxy)))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._routes.of(request.url).handle_request(request)

    def close(self) -> None:
        for transport in self._routes.all():
            transport.close()


class _AsyncHubTransport(httpx2.AsyncBaseTransport):
    def __init__(self, proxies: Proxies) -> None:
        self._routes = Routes(proxies, lambda proxy: httpx2.AsyncHTTPTransport(**_options(proxy)))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._routes.of(request.url).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._routes.all():
            await transport.aclose()


def _options(proxy: str | None) -> dict[str, Any]:
    secure = proxy is not None and proxy.startswith("https:")
    via_proxy = httpx2.Proxy(proxy, ssl_context=_tls() if secure else None) if proxy is not None else None
    return {"verify": _tls(), "trust_env": False, "proxy": via_proxy}


@cache
def _tls() -> ssl.SSLContext:
    """The certificate authorities of the system, or those that a variable names."""
    return tls_context(lambda: httpx2.create_ssl_context(trust_env=False))
