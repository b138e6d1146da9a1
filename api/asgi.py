"""Builds the application from settings: the one place where its parts meet."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.router import Router

from api.access.admission import Admission, RateLimiter, token_guard
from api.access.auth import ACCEPTED_FOR_S, Authenticator
from api.access.client_tokens import ClientTokens
from api.access.unknown_tokens import UnknownTokenLimit
from api.caching.answers import Answers
from api.caching.response_cache import ResponseCache
from api.datasets.controller import DatasetsController
from api.datasets.webhook_controller import WebhookController
from api.dropin.binance.controller import BinanceController
from api.dropin.coingecko.controller import CoinGeckoController
from api.engine.create import create_engine
from api.engine.engine import Engine
from api.engine.poller import Poller
from api.health.collector import EngineCollector
from api.health.controller import StatusController
from api.history.controller import HistoryController
from api.http.disconnects import ClientDisconnected, nobody_there
from api.http.metrics import Metrics
from api.http.problems import problem_response
from api.http.reading import known_parameters_only
from api.http.work_threads import WorkThreads
from api.memory import MemoryKeeper
from api.middleware.front import Application, Front
from api.middleware.public_url import PublicUrl
from api.middleware.refusals import body_refusal
from api.rows.controller import rows_router
from api.sql.controller import SqlController
from api.sql.sandbox.pool import SandboxPool
from api.sql.service import SandboxCollector, SqlAnswers
from api.stream.controller import StreamController
from api.stream.feed import Feed
from api.web.docs import DocsController, openapi_config
from api.web.snippets_controller import SnippetsController
from datahub_assets.settings import Settings
from datahub_system.net.bodies import BodyLimit
from datahub_system.net.forwarded import behind_proxies

_CACHE_BYTES: Final = 128 << 20
_BODY_BYTES: Final = 1 << 20
"""The largest body of a request: a statement has 100,000 characters at most, and its values may be many."""
_BODY_S: Final = 20.0
_GUARDED: Final = [DatasetsController, HistoryController]
_READING_BODIES: Final = [SqlController, StreamController]
"""Of the guarded ones: a stream reads what its client sends, to notice when it goes."""
_OWN_PARAMETERS: Final = [BinanceController, CoinGeckoController, SnippetsController]
"""They judge unknown parameters in their own ways."""
_OPEN: Final = [StatusController]
_PAGES: Final = [DocsController]
"""Links to pages may carry anything behind the question mark."""


def create_app(settings: Settings) -> Litestar:
    """The application on the Hub the settings name."""
    return create_app_with(settings, create_engine(settings))


def create_app_with(settings: Settings, engine: Engine, *, accepted_for_s: float = ACCEPTED_FOR_S) -> Litestar:
    """The application over an engine, which it refreshes while it runs and closes when it ends.

    `accepted_for_s` is how long a token the Hub accepted is not asked about again.
    """
    metrics, cache = Metrics(), ResponseCache(_CACHE_BYTES)
    metrics.registry.register(EngineCollector(engine, settings))
    authenticator = Authenticator(
        owner_token=settings.owner_token,
        whoami=engine.hub.whoami,
        find_client=ClientTokens(settings.client_tokens_path).find,
        allowed_users=settings.allowed_users,
        unknown_tokens=UnknownTokenLimit(per_address=None, total=None) if settings.embedded_hub else None,
        accepted_for_s=accepted_for_s,
    )
    feed = Feed(engine)
    poller = Poller(engine, poll_s=settings.poll_s, changed=feed.changed)
    pool = SandboxPool.of(settings)
    metrics.registry.register(SandboxCollector(pool))
    threads = WorkThreads()
    answers = Answers(engine, cache, metrics, threads)
    admission = Admission(authenticator, RateLimiter(settings.rate_limit_per_min))
    parts: dict[str, Any] = {
        "engine": engine,
        "settings": settings,
        "metrics": metrics,
        "poller": poller,
        "feed": feed,
        "authenticator": authenticator,
        "statements": SqlAnswers(engine, pool, answers, metrics=metrics),
    }
    guarded = token_guard(admission)
    rows = rows_router(engine.specs.values())
    bodies = DefineMiddleware(BodyLimit, max_bytes=_BODY_BYTES, seconds=_BODY_S, refuse=body_refusal)
    return Application(
        layers=[
            partial(behind_proxies, trusted=settings.trusted_proxies),
            *([] if settings.public_url is None else [partial(PublicUrl, url=settings.public_url)]),
            partial(Front, admission=admission, cache=cache, metrics=metrics),
        ],
        route_handlers=[
            Router("/", route_handlers=[rows, *_GUARDED], guards=[guarded, known_parameters_only]),
            Router("/", route_handlers=_READING_BODIES, guards=[guarded, known_parameters_only], middleware=[bodies]),
            Router("/", route_handlers=_OWN_PARAMETERS, guards=[guarded]),
            Router("/", route_handlers=_OPEN, guards=[known_parameters_only]),
            Router("/", route_handlers=[WebhookController], guards=[known_parameters_only], middleware=[bodies]),
            Router("/", route_handlers=_PAGES),
        ],
        dependencies={name: Provide(_always(part), sync_to_thread=False) for name, part in parts.items()},
        exception_handlers={ClientDisconnected: nobody_there, Exception: problem_response},
        openapi_config=openapi_config(version("crypto-data-hub"), public_url=settings.public_url),
        state=State({"answers": answers, "feed": feed}),
        lifespan=[_keeping(MemoryKeeper([cache, feed])), _running(engine, poller, pool, feed, threads)],
        logging_config=None,
    )


def _running(
    engine: Engine, poller: Poller, pool: SandboxPool, feed: Feed, threads: WorkThreads
) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        engine.restore()
        feed.start()
        poller.start()
        try:
            yield
        finally:
            await feed.stop()
            await pool.close()
            await poller.stop()
            threads.close()
            engine.close()

    return lifespan


def _keeping(memory: MemoryKeeper) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        memory.start()
        try:
            yield
        finally:
            await memory.stop()

    return lifespan


def _always(part: Any) -> Callable[[], Any]:
    def provide() -> Any:
        return part

    return provide
