"""A warm server in a process of its own, for tests of it and of runs through it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from datahub_assets.defs.run_workers import started_at
from datahub_assets.ops.warm.protocol import Launch, LaunchReply, Look, Stop, ask
from datahub_assets.ops.warm.server import READY


class Server:
    """A warm server in a process of its own."""

    def __init__(self, folder: Path, *command: str, env: dict[str, str] | None = None) -> None:
        self.path = folder / "warm.sock"
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *command, str(self.path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.until(READY)

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()

    def until(self, fragment: str) -> str:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if fragment in line:
                return line
        raise AssertionError(f"{fragment!r} was not said; exit code {self.popen.wait()}")

    def launch(self, code: str, run_id: str = "r1") -> int:
        pid = ask(self.path, Launch(run_id=run_id, arguments=(code,)), timeout_s=5).pid
        assert pid is not None
        return pid

    def stop(self, run_id: str = "r1", *, grace_s: float = 5) -> int | None:
        return ask(self.path, Stop(run_id=run_id, grace_s=grace_s), timeout_s=5).pid

    def look(self, run_id: str) -> LaunchReply:
        return ask(self.path, Look(run_id=run_id), timeout_s=5)


def gone(pid: int, timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while started_at(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
