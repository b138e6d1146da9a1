"""A warm server whose work is a line of Python; for tests of forking, stopping and dying. `python -m … SOCKET`.

`RIG_SLOW_FORK_S` delays each child right after its fork, as a busy machine does.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datahub_assets.ops.warm.server import WarmServer, preload


def work(arguments: Sequence[str]) -> int:
    """Execute the first argument."""
    exec(arguments[0], {})  # noqa: S102 - the test wrote it
    return 0


if __name__ == "__main__":
    delay_s = float(os.environ.get("RIG_SLOW_FORK_S", "0"))
    os.register_at_fork(after_in_child=lambda: time.sleep(delay_s))
    preload(lambda: None)
    WarmServer(Path(sys.argv[1]), work).serve()
