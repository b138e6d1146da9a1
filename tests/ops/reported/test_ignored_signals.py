"""Signals that the shell had the process ignore when it started it: `nohup datahub up &`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from datahub_assets.ops.supervise.supervisor import STOP_SIGNALS

STAYS = "import signal, time; print('ready'); time.sleep(600)"
SETTLES_S = 0.5


def started(command: list[str], *ignored: signal.Signals) -> subprocess.Popen[str]:
    def ignore() -> None:
        for signum in ignored:
            signal.signal(signum, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-u", "-m", *command],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,  # noqa: PLW1509 - one signal call, and no other thread runs here
    )


def until(process: subprocess.Popen[str], fragment: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if fragment in line:
            return lines
    raise AssertionError(f"{fragment!r} was not said: {lines}")


@pytest.mark.parametrize("ignored", STOP_SIGNALS)
def test_the_supervisor_goes_on_and_its_processes_still_stop_politely(tmp_path: Path, ignored: signal.Signals) -> None:
    process = started(["tests.ops.supervisor_process", str(tmp_path), f"worker={STAYS}"], ignored)
    until(process, "all ready")
    (worker,) = psutil.Process(process.pid).children()
    process.send_signal(ignored)
    time.sleep(SETTLES_S)
    assert process.poll() is None
    assert worker.is_running()
    process.send_signal(next(signum for signum in STOP_SIGNALS if signum != ignored))
    said = until(process, "stopped in")
    assert process.wait(timeout=15) == 0
    assert process.stdout is not None
    process.stdout.close()
    assert not [line for line in said if "killed" in line]


def test_a_server_on_its_own_goes_on_too(tmp_path: Path) -> None:
    process = started(["localhub", "serve", "--home", str(tmp_path), "--port", "0"], signal.SIGINT)
    until(process, "listening on")
    process.send_signal(signal.SIGINT)
    time.sleep(SETTLES_S)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 0
    assert process.stdout is not None
    process.stdout.close()
