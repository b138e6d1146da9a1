"""The time of this machine."""

import time


def now_ms() -> int:
    """This machine's time, epoch milliseconds UTC."""
    return time.time_ns() // 1_000_000
