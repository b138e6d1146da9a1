"""The Hub as its users run it: `python -m localhub serve` in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
from huggingface_hub import HfApi

READY = "localhub listening on "
PATIENCE_S = 6  # an end takes less than 2 s on an idle machine; one that waits for somebody takes minutes


class HubProcess:
    """A served home. `start` returns once the ready line came; `kill` is SIGKILL, leaving the context is SIGTERM."""

    def __init__(self, home: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self._options = options
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> Self:
        command = [sys.executable, "-m", "localhub", "serve", "--home", str(self.home), "--port", "0", *self._options]
        log = (self.home.parent / "localhub.log").open("a")
        with log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith(READY), line + (self.home.parent / "localhub.log").read_text()
        self.url = line.removeprefix(READY).strip()
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def token(self) -> str:
        return (self.home / "token").read_text().strip()

    def api(self) -> HfApi:
        return HfApi(endpoint=self.url, token=self.token)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"})

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """End it politely; returns its exit status."""
        return self._end(signal.SIGTERM)

    def stop(self) -> None:
        """End it politely, as HubServer does."""
        self.terminate()

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(how)
        status = self._process.wait(timeout=20)
        self._process.stdout.close()
        self._process = None
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.terminate()
