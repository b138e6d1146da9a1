"""Running an ASGI application on uvicorn: the socket, the limits, the ready line and a clean stop."""

import contextlib
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, Literal

import uvicorn

from datahub_system.net.connections import ConnectionLimits, Connections
from datahub_system.net.http_connection import LimitedConnection
from datahub_system.processes import handle

_BACKLOG: Final = 1024
_SWEEP_EVERY_TICKS: Final = 10  # uvicorn ticks ten times a second
_MOST_FILES: Final = 65_536
_FILES_FOR_THE_APPLICATION: Final = 256
_CLIENTS_FAULTS: Final = (
    "Invalid HTTP request received.",
    "Unsupported upgrade request.",
    "No supported WebSocket library detected.",
    "ASGI callable returned without completing response.",
)
"""What uvicorn warns of because of what a client sent, or because an answer to a client that left was given up."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 lets the system choose.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class Server(uvicorn.Server):
    """A uvicorn server whose connections are limited, and whose process goes on when it has stopped.

    Args:
        on_ready: called once it accepts connections.
        on_stopping: called when it is about to stop, before it waits for answers that are being sent.
    """

    def __init__(
        self,
        app: Any,
        *,
        limits: ConnectionLimits | None = None,
        on_ready: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
        lifespan: Literal["on", "off"] = "off",
        websockets: bool = False,
        protocol: type[LimitedConnection] = LimitedConnection,
        stop_timeout_s: int = 1,
        max_websocket_bytes: int = 1 << 20,
    ) -> None:
        limits = _within_open_files(limits or ConnectionLimits())
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                loop="uvloop",
                log_config=None,
                access_log=False,
                lifespan=lifespan,
                ws="websockets-sansio" if websockets else "none",
                ws_max_size=max_websocket_bytes,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=int(limits.keep_alive_s),
                timeout_graceful_shutdown=stop_timeout_s,
            )
        )
        self.server_state: Connections = Connections(limits)
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        _log_no_faults_of_clients()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: let answers that have no end of their own end, then wait for the others."""
        self._on_stopping()
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        """What is to be done now and then; whether to stop."""
        if counter % _SWEEP_EVERY_TICKS == 0:
            self.server_state.sweep()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C. uvicorn's own raises the signal again, which would end the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = handle((signal.SIGINT, signal.SIGTERM), self.handle_exit)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _within_open_files(limits: ConnectionLimits) -> ConnectionLimits:
    """Let this process open as many files as it may, and have no more connections than that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_MOST_FILES, hard) if hard != resource.RLIM_INFINITY else _MOST_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    room = limits.total if soft == resource.RLIM_INFINITY else max(16, soft - _FILES_FOR_THE_APPLICATION)
    total = min(limits.total, room)
    return replace(limits, total=total, per_address=min(limits.per_address, max(1, total // 2)))


def _log_no_faults_of_clients() -> None:
    logger = logging.getLogger("uvicorn.error")
    if _is_ours not in logger.filters:
        logger.addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_CLIENTS_FAULTS)
