"""The whole product as a user runs it, `datahub up`, on loopback upstreams; what is watched in it is said elsewhere."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from benchmarks.environment import quiet_environment
from benchmarks.measuring.ask import status_of
from benchmarks.measuring.load import Server, get
from benchmarks.servers.processes import answers, free_port, running
from benchmarks.servers.upstreams import upstreams

FIRST_DATA_S: Final = 600.0
_PROGRAM: Final = str(Path(sys.executable).with_name("datahub"))


@dataclass(frozen=True, slots=True)
class FullStack:
    """A running product: its home, its API and the supervisor's process, whose children are all the others."""

    home: Path
    server: Server
    process: psutil.Process


@contextmanager
def full_stack(*, pairs: int, latency_s: float, settings: Mapping[str, str]) -> Iterator[FullStack]:
    """Run everything for the time of the block; `settings` are changes to the product's defaults.

    Raises:
        NotStarted: the stack did not come up.
    """
    with (
        TemporaryDirectory(prefix="datahub-bench-") as name,
        upstreams(pairs=pairs, latency_s=latency_s, folder=Path(name)) as there,
    ):
        home = Path(name) / "home"
        ports = {f"DATAHUB_{who}_PORT": str(free_port()) for who in ("API", "DAGSTER", "LOCALHUB")}
        env = quiet_environment(DATAHUB_HOME=str(home), **there.settings, **ports, **settings)
        api_port = int(ports["DATAHUB_API_PORT"])
        ready = answers(f"http://127.0.0.1:{api_port}/schema/openapi.json")
        with running([_PROGRAM, "up"], log=Path(name) / "up.log", env=env, ready=ready) as process:
            token = (home / "token").read_text(encoding="ascii").strip()
            yield FullStack(home, Server(api_port, {"authorization": f"Bearer {token}"}), psutil.Process(process.pid))


def serves(stack: FullStack, path: str) -> bool:
    """Whether the API answers this path with data."""
    return status_of(stack.server, get(stack.server, path)) == 200
