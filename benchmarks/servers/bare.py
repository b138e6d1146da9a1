"""The floor to compare with: a Litestar handler on the same server that returns bytes and does nothing else.

The module is both the app (bytes from the file that BARE_BODY names) and the contestant that runs it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from litestar import Litestar, Response
from litestar import get as route

from benchmarks.environment import HERE, quiet_environment
from benchmarks.measuring.load import Server
from benchmarks.servers.processes import answers, free_port, running
from datahub_system.net.server import Server as HttpServer
from datahub_system.net.server import listening_socket

NAME: Final = "bare Litestar handler"
UNCHANGED: Final = "bare Litestar 304"


def create_app() -> Litestar:
    """GET /bytes answers the file's content, GET /unchanged answers 304 without a body."""
    body = Path(os.environ["BARE_BODY"]).read_bytes()

    @route("/bytes")
    async def same_bytes() -> Response[bytes]:
        return Response(body, media_type="application/json")

    @route("/unchanged", status_code=304)
    async def unchanged() -> None:
        return None

    return Litestar([same_bytes, unchanged], openapi_config=None)


@contextmanager
def bare(body: bytes, *, folder: Path, log: Path) -> Iterator[Server]:
    """Serve `body` for the time of the block, with the product's server and its options."""
    port = free_port()
    path = folder / "body"
    path.write_bytes(body)
    argv = [sys.executable, "-m", "benchmarks.servers.bare", str(port)]
    env = quiet_environment(BARE_BODY=str(path), PYTHONPATH=str(HERE.parent))
    with running(argv, log=log, env=env, ready=answers(f"http://127.0.0.1:{port}/bytes")):
        yield Server(port, {})


def main() -> None:
    """Serve on the given port with the options of `python -m api serve`."""
    HttpServer(create_app(), lifespan="on").run(sockets=[listening_socket("127.0.0.1", int(sys.argv[1]))])


if __name__ == "__main__":
    main()
