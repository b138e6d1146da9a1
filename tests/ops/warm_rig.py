"""A warm server whose work is a line of Python; for tests of forking, stopping and dying. `python -m … SOCKET`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from datahub_assets.ops.warm.server import WarmServer, preload


def work(arguments: Sequence[str]) -> int:
    """Execute the first argument."""
    exec(arguments[0], {})  # noqa: S102 - the test wrote it
    return 0


if __name__ == "__main__":
    preload(lambda: None)
    WarmServer(Path(sys.argv[1]), work).serve()
