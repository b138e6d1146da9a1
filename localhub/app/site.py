"""What every endpoint stands on: the opened home, worker threads for the store, and the Call an endpoint is given.

No endpoint lives here, and no rule about who may do what.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from sqlite3 import Connection
from threading import Lock
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from localhub.errors import bad_request, commit_in_progress, too_large
from localhub.store.accounts import Owner
from localhub.store.home import Home
from localhub.store.repos import Repo
from localhub.webhook import Event, Webhook

MAX_JSON_BYTES = 8 * 1024 * 1024
STORE_THREADS = 8

P = ParamSpec("P")
T = TypeVar("T")


class Site:
    """One running Hub: its home, owner and webhook, shared by all requests."""

    def __init__(self, home: Home, *, owner: Owner, webhook: Webhook | None = None) -> None:
        self.home = home
        self.owner = owner
        self._webhook = webhook
        self._threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="localhub-store")
        self._committing: set[int] = set()
        self._lock = Lock()

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    @contextmanager
    def commit_slot(self, repo: Repo) -> Iterator[None]:
        """Be the one commit being applied to this repository.

        Raises:
            HubError: 409, as on the Hub, if there is one already.
        """
        with self._lock:
            if repo.id in self._committing:
                raise commit_in_progress()
            self._committing.add(repo.id)
        try:
            yield
        finally:
            with self._lock:
                self._committing.remove(repo.id)

    def announce(self, event: Event) -> None:
        """Tell the webhook, if there is one; never waits for it."""
        if self._webhook is not None:
            self._webhook.send(event)

    def close(self) -> None:
        """Finish the work under way."""
        self._threads.shutdown()
        if self._webhook is not None:
            self._webhook.close()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request inside one transaction of the store."""

    site: Site
    con: Connection
    request: Request
    body: bytes
    events: list[Event] = field(default_factory=list)

    def param(self, name: str) -> str:
        """A part of the URL path, decoded."""
        return path_param(self.request, name)

    def query(self, name: str, default: str = "") -> str:
        """A query parameter, by its first value."""
        value: str = self.request.query_params.get(name, default)
        return value

    def flag(self, name: str) -> bool:
        """Whether a query parameter says yes, in one of the ways clients write it."""
        return self.query(name).lower() in {"1", "true", "yes"}

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object; nothing at all counts as an empty one."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise bad_request("The body is not valid JSON") from error
        if not isinstance(value, dict):
            raise bad_request("The body is not a JSON object")
        return value

    @property
    def base_url(self) -> str:
        """How the caller reached this Hub, without a trailing slash."""
        return base_url(self.request)


Work = Callable[[Call], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def reads(work: Work) -> Endpoint:
    """An endpoint that looks at one state of the store."""

    @wraps(work)
    async def endpoint(request: Request) -> Response:
        site, body = site_of(request), await small_body(request)

        def run() -> Response:
            with site.home.database.read() as con:
                return work(Call(site=site, con=con, request=request, body=body))

        return await site.in_thread(run)

    return endpoint


def writes(work: Work) -> Endpoint:
    """An endpoint that changes the store, all or (when it raises) nothing; its events go out once that is durable."""

    @wraps(work)
    async def endpoint(request: Request) -> Response:
        site, body = site_of(request), await small_body(request)

        def run() -> Response:
            with site.home.database.write() as con:
                call = Call(site=site, con=con, request=request, body=body)
                response = work(call)
            for event in call.events:
                site.announce(event)
            return response

        return await site.in_thread(run)

    return endpoint


def site_of(request: Request) -> Site:
    """The Hub this request came to."""
    site = request.app.state.site
    if not isinstance(site, Site):
        raise TypeError("the application was made without a Site")
    return site


def path_param(request: Request, name: str) -> str:
    """A part of the URL path, decoded: routes match the path as it was sent, so a revision may hold an encoded `/`."""
    try:
        return unquote(request.path_params[name], errors="strict")
    except UnicodeDecodeError as error:
        raise bad_request("The URL is not valid UTF-8") from error


def base_url(request: Request) -> str:
    """The scheme, host and port the caller used."""
    return str(request.base_url).rstrip("/")


async def small_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        HubError: 413 beyond `MAX_JSON_BYTES`.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_JSON_BYTES:
            raise too_large(f"The body is larger than {MAX_JSON_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
