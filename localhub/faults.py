"""Ways a real Hub misbehaves, to be ordered by tests: a wrapper around the application, armed only from Python.

The application inside knows nothing of this, and the production server does not import it.
"""

import asyncio
import json
import math
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CUT = "localhub.cut"  # key in scope["extensions"] of the function by which the test server closes the connection
COMMITS = r"POST /api/\w+/[^/]+/[^/]+/commit/"
ANY = r""

FOREVER = math.inf


@dataclass(frozen=True, kw_only=True)
class _Exchange:
    """One request on its way to the application."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def pass_on(self, *, receive: Receive | None = None, send: Send | None = None) -> None:
        await self.app(self.scope, receive or self.receive, send or self.send)


class _CutError(Exception):
    """The connection is closed; the application need not go on."""


_Action = Callable[[_Exchange], Awaitable[None]]


@dataclass(kw_only=True)
class _Fault:
    """What happens to the next `times` requests whose "METHOD /path" the pattern is found in."""

    pattern: re.Pattern[str]
    times: float
    action: _Action


class Faults:
    """The misbehaviour of one HubServer. Orders are served oldest first, each for `times` matching requests.

    `on` is a regular expression looked for in "METHOD /path", such as `"GET /datasets/.*/resolve/"`. `seen` lists every
    request in that form, whether or not something happened to it.
    """

    def __init__(self, rival_commit: Callable[[Scope], None]) -> None:
        self._rival_commit = rival_commit
        self._orders: list[_Fault] = []
        self._lock = Lock()
        self._quota: tuple[int, float] | None = None
        self._spent: deque[float] = deque()
        self.seen: list[str] = []

    def answer(
        self, status: int, *, error: str, headers: Mapping[str, str] | None = None, on: str = COMMITS, times: float = 1
    ) -> None:
        """Answer `status` without doing anything."""

        async def action(exchange: _Exchange) -> None:
            await _drain(exchange.receive)
            await _answer(exchange.send, status, error=error, headers=headers)

        self._order(action, on=on, times=times)

    def rate_limit(self, *, retry_after_s: int, on: str = COMMITS, times: float = 1) -> None:
        """429 with Retry-After."""
        self.answer(429, error="Too Many Requests", headers={"Retry-After": str(retry_after_s)}, on=on, times=times)

    def commit_quota(self, limit: int, *, window_s: float = 3600.0) -> None:
        """Let at most `limit` commits land in any `window_s` seconds; the others get 429 with Retry-After."""
        with self._lock:
            self._quota = (limit, window_s)
            self._spent.clear()

    def conflict_on_commit(self, *, times: float = 1) -> None:
        """409, as while another commit is being applied; the head does not move."""
        self.answer(409, error="Another commit operation is in progress", times=times)

    def fail_after_commit(self, *, status: int = 500, times: float = 1) -> None:
        """Let the commit land and answer `status`."""

        async def action(exchange: _Exchange) -> None:
            await exchange.pass_on(send=_nowhere)
            await _answer(exchange.send, status, error="Internal Error - We're working hard to fix this")

        self._order(action, on=COMMITS, times=times)

    def race_commit(self, *, times: float = 1) -> None:
        """Let somebody else's commit land on the same branch while the request is under way, which gets 412."""

        async def action(exchange: _Exchange) -> None:
            raced = False

            async def receive() -> Message:
                nonlocal raced
                if not raced:
                    raced = True
                    await asyncio.to_thread(self._rival_commit, exchange.scope)
                return await exchange.receive()

            await exchange.pass_on(receive=receive)

        self._order(action, on=COMMITS, times=times)

    def slow(self, delay_s: float, *, on: str = ANY, times: float = 1) -> None:
        """Wait before doing what was asked."""

        async def action(exchange: _Exchange) -> None:
            await asyncio.sleep(delay_s)
            await exchange.pass_on()

        self._order(action, on=on, times=times)

    def drop_before(self, *, on: str = COMMITS, times: float = 1) -> None:
        """Cut the connection without doing or answering anything."""

        async def action(exchange: _Exchange) -> None:
            await _cut(exchange)

        self._order(action, on=on, times=times)

    def drop_after(self, *, on: str = COMMITS, times: float = 1) -> None:
        """Do what was asked and cut the connection instead of answering."""

        async def action(exchange: _Exchange) -> None:
            await exchange.pass_on(send=_nowhere)
            await _cut(exchange)

        self._order(action, on=on, times=times)

    def drop_within(self, *, after_bytes: int, on: str, times: float = 1) -> None:
        """Cut the connection after that many bytes of the body of the answer."""

        async def action(exchange: _Exchange) -> None:
            left = after_bytes

            async def send(message: Message) -> None:
                nonlocal left
                body = message.get("body", b"")
                if len(body) <= left:
                    left -= len(body)
                    await exchange.send(message)
                    return
                await exchange.send({"type": "http.response.body", "body": body[:left], "more_body": True})
                await _cut(exchange)
                raise _CutError

            try:
                await exchange.pass_on(send=send)
            except _CutError:
                return

        self._order(action, on=on, times=times)

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._orders.clear()
            self._quota = None

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """`app`, misbehaving to order."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            request = f"{scope['method']} {scope['raw_path'].decode()}"
            self.seen.append(request)
            exchange = _Exchange(app=app, scope=scope, receive=receive, send=send)
            action = self._next_action(request) or (self._within_quota if re.search(COMMITS, request) else None)
            await (exchange.pass_on() if action is None else action(exchange))

        return wrapped

    def _order(self, action: _Action, *, on: str, times: float) -> None:
        with self._lock:
            self._orders.append(_Fault(pattern=re.compile(on), times=times, action=action))

    def _next_action(self, request: str) -> _Action | None:
        with self._lock:
            for fault in self._orders:
                if fault.times > 0 and fault.pattern.search(request):
                    fault.times -= 1
                    return fault.action
        return None

    async def _within_quota(self, exchange: _Exchange) -> None:
        retry_after_s = self._wait_for_quota_s()
        if retry_after_s is not None:
            await _drain(exchange.receive)
            headers = {"Retry-After": str(math.ceil(retry_after_s))}
            error = "You have exceeded the rate limit for repository commits. You can retry this action later."
            await _answer(exchange.send, 429, error=error, headers=headers)
            return

        async def send(message: Message) -> None:
            if message.get("status") == HTTPStatus.OK:
                self._spent.append(time.monotonic())
            await exchange.send(message)

        await exchange.pass_on(send=send)

    def _wait_for_quota_s(self) -> float | None:
        with self._lock:
            if self._quota is None:
                return None
            limit, window_s = self._quota
            now = time.monotonic()
            while self._spent and self._spent[0] <= now - window_s:
                self._spent.popleft()
            if len(self._spent) < limit:
                return None
            return window_s if not self._spent else self._spent[0] + window_s - now


async def _answer(send: Send, status: int, *, error: str, headers: Mapping[str, str] | None = None) -> None:
    body = json.dumps({"error": error}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _nowhere(_: Message) -> None:
    """Swallow an answer."""


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


async def _cut(exchange: _Exchange) -> None:
    close: Callable[[], None] = exchange.scope["extensions"][CUT]
    close()
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
