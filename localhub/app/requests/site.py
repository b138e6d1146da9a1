"""What every endpoint stands on: the opened home, worker threads for the store, and the Call an endpoint is given."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from sqlite3 import Connection
from threading import Lock
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

from starlette.requests import Request

from localhub.app.requests.cache import BoundedCache
from localhub.errors import bad_request, commit_in_progress
from localhub.protocol.card import Card
from localhub.protocol.payloads import read_json
from localhub.store.accounts import Owner
from localhub.store.home import Home
from localhub.store.repos import Repo
from localhub.store.siblings import Siblings
from localhub.webhook import Event, Webhook

STORE_THREADS = 8
CARD_CACHE_BYTES = 2 * 1024 * 1024
CARD_OVERHEAD_BYTES = 200
SIBLINGS_CACHE_BYTES = 32 * 1024 * 1024

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
        self.cards: BoundedCache[str, Card] = BoundedCache(CARD_CACHE_BYTES, size_of=_card_bytes)
        self.siblings: BoundedCache[tuple[int, bool], Siblings] = BoundedCache(
            SIBLINGS_CACHE_BYTES, size_of=lambda value: len(value.json)
        )

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
        value = read_json(self.body or b"{}")
        if not isinstance(value, dict):
            raise bad_request("The body is not a JSON object")
        return value

    @property
    def base_url(self) -> str:
        """How the caller reached this Hub, without a trailing slash."""
        return base_url(self.request)


def _card_bytes(card: Card) -> int:
    return len(json.dumps(card.data)) + len(card.error or "") + CARD_OVERHEAD_BYTES


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
