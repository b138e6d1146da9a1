"""The whole product as real processes on free ports, fed by the fakes: what `make up` starts, watched from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120.0

COINS, HISTORY = 30, 50
SYMBOLS, INTERVALS = ("BTCUSDT", "ETHUSDT", "SOLUSDT"), ("1h", "4h", "1d")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on just now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _signal(processes: list[psutil.Process], signum: int) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signum)


class Stack:
    """`datahub up` in a home of its own. Use it as a context manager; leaving it stops everything."""

    def __init__(self, home: Path, *, upstreams: Mapping[str, str], tick_s: int = 5) -> None:
        self.home = home
        self.api_port, self.dagster_port, self.hub_port = free_ports(3)
        self.hub_url = f"http://127.0.0.1:{self.hub_port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DATAHUB_"))},
            **upstreams,
            "DATAHUB_HOME": str(home),
            "DATAHUB_TICK_S": str(tick_s),
            "DATAHUB_PUBLISH_INTERVAL_S": "1",
            "DATAHUB_COMMITS_PER_HOUR": "10000",
            "DATAHUB_API_PORT": str(self.api_port),
            "DATAHUB_DAGSTER_PORT": str(self.dagster_port),
            "DATAHUB_LOCALHUB_PORT": str(self.hub_port),
        }
        self._log = (home.parent / "up.log").open("wb")
        self.process: subprocess.Popen[bytes] | None = None
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.api_port}", timeout=30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.api.close()
        self._log.close()

    def start(self) -> None:
        """Start `datahub up` and wait until its API knows the token."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "datahub_assets.cli", "up"],
            cwd=ROOT, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.wait_for((self.home / "token").is_file, "the token file")
        self.api.headers["Authorization"] = f"Bearer {(self.home / 'token').read_text().strip()}"

    def stop(self) -> float:
        """SIGTERM, and how many seconds it took until all of it was gone."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - began

    def cut_the_power(self, when: Callable[[], bool]) -> None:
        """End every process at once, without a chance to clean up, at a moment when this holds."""
        assert self.process is not None
        while True:
            self.wait_for(when, "moment to cut the power", every_s=0.002)
            family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
            _signal(family, signal.SIGSTOP)
            if when():  # still, now that all stand
                _signal(family, signal.SIGKILL)
                self.process.wait()
                psutil.wait_procs(family)
                return
            _signal(family, signal.SIGCONT)

    def wait_for(
        self, condition: Callable[[], Any], what: str, *, limit_s: float = START_LIMIT_S, every_s: float = 0.1
    ) -> Any:
        """The first true value of `condition`; connection errors count as not yet."""
        deadline = time.monotonic() + limit_s
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = condition()
            except httpx.TransportError as error:
                last = error
            else:
                if last:
                    return last
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"`datahub up` ended with {self.process.returncode}:\n{self.log()}")
            time.sleep(every_s)
        raise AssertionError(f"no {what} within {limit_s:.0f} s, last: {last!r}\n{self.log()}")

    def log(self, lines: int = 60) -> str:
        """The end of what `datahub up` printed."""
        return "\n".join(Path(self._log.name).read_text(errors="replace").splitlines()[-lines:])

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of an answer that has to be good; None while the server says that it has no data yet (503)."""
        answer = self.api.get(path, params=params)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json()

    def head(self, repo: str) -> str:
        """The commit that a dataset's main branch points at, as the embedded Hub says."""
        return str(self.api.get(f"{self.hub_url}/api/datasets/local/{repo}").raise_for_status().json()["sha"])

    def commits(self, repo: str) -> list[str]:
        """Commit ids of a dataset, newest first."""
        return [c["id"] for c in self.api.get(f"{self.hub_url}/api/datasets/local/{repo}/commits/main").json()]

    def ticks_done(self) -> dict[str, str | None]:
        """When each chain last succeeded, as the workers say."""
        status = json.loads((self.home / "worker-status.json").read_text())
        return {name: chain["last_success"] for name, chain in status["chains"].items()}

    def wait_for_tick(self, chain: str, *, limit_s: float = 60) -> None:
        """Wait for a run that began after now: the second success from now on."""
        for _ in range(2):
            before = self.ticks_done()[chain]
            self.wait_for(lambda: self.ticks_done()[chain] != before, f"tick of {chain}", limit_s=limit_s)  # noqa: B023

    def load_dataset(self, *arguments: str, revision: str | None = None) -> list[dict[str, Any]]:
        """Rows as `datasets.load_dataset(…, split="train")` reads them in a process of its own."""
        code = (
            "import sys, polars as pl; from datasets import load_dataset\n"
            f"frame = load_dataset(*{arguments!r}, split='train', revision={revision!r}).to_polars()\n"
            "frame.with_columns(pl.selectors.temporal().dt.epoch('ms')).write_json(sys.stdout)"
        )
        environment = {
            **self.environment, "HF_ENDPOINT": self.hub_url, "HF_HOME": str(self.home.parent / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return list(json.loads(done.stdout))
