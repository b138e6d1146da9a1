"""An application behind the server the product runs on, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from datahub_system.net.server import Server, listening_socket

WAIT_S = 20.0


@contextmanager
def served(app: Any, **options: Any) -> Iterator[tuple[str, int]]:
    """Host and port of the application, on a `Server` with these options."""
    ready = threading.Event()
    with listening_socket("127.0.0.1", 0) as sock:
        server = Server(app, on_ready=ready.set, **options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            assert ready.wait(WAIT_S), "the server did not start"
            yield sock.getsockname()
        finally:
            server.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive(), "the server did not stop"
