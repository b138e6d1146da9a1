"""Running the application: the socket, uvicorn, the ready line and a clean stop."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from localhub.app.asgi import create_app
from localhub.app.site import Site
from localhub.store.accounts import Owner, owner_token
from localhub.store.home import Home, only_server
from localhub.webhook import Webhook

STOP_TIMEOUT_S = 1
KEEP_ALIVE_S = (
    120  # longer than the minute a poller pauses, or its reused connection would close under its next request
)
BACKLOG = 128


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 lets the system choose."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def open_site(home: Path, *, owner: str, token_file: Path, webhook: Webhook | None = None) -> Iterator[Site]:
    """A Hub over `home`, the only one; all of it closed at the end.

    Raises:
        HomeInUseError: another server runs on this home.
    """
    with only_server(home):
        opened = Home(home)
        opened.blobs.discard_unfinished()
        try:
            site = Site(opened, owner=Owner(owner, owner_token(token_file)), webhook=webhook)
            try:
                yield site
            finally:
                site.close()
        finally:
            opened.close()


def make_server(
    app: ASGIApp, *, on_ready: Callable[[], None], http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> uvicorn.Server:
    """A uvicorn server for `app` that calls `on_ready` once it accepts."""
    config = uvicorn.Config(
        app,
        http=http,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    return _Announcing(config, on_ready)


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, does not raise the signal again, ending the process before the home is closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(home: Path, *, host: str, port: int, owner: str, token_file: Path, webhook: Webhook | None = None) -> None:
    """Serve until SIGTERM or SIGINT, after printing one line with the address to standard output."""
    with (
        listening_socket(host, port) as sock,
        open_site(home, owner=owner, token_file=token_file, webhook=webhook) as site,
    ):
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{sock.getsockname()[1]}"

        def tell() -> None:
            sys.stdout.write(f"localhub listening on {url}\n")
            sys.stdout.flush()

        make_server(create_app(site), on_ready=tell).run(sockets=[sock])
