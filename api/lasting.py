"""Answers that last until they are told to end: how a server that stops tells its worker.

What ends then is registered by whoever sends such answers.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Final

END_STREAMS: Final = signal.SIGUSR1
"""Sent to a worker before it is asked to stop, as a server waits for answers that are being sent."""


def when_stopping(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Call `end` on that loop when the server is about to stop. Only the main thread of a process can be told."""
    if threading.current_thread() is threading.main_thread():
        loop.add_signal_handler(END_STREAMS, end)
