"""The supervisor with real processes: order, restart, stop within its limit, no orphans."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from datahub_assets.ops.supervise.process import RestartDelay
from datahub_assets.ops.supervise.supervisor import WAVE_S

STAYS = "import time; print('ready'); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready')\nwhile True: time.sleep(600)"
)
WITH_CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    " print('ready'); time.sleep(600)"
)
WITH_RUNAWAY = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True); print('ready'); time.sleep(600)"
)


class Rig:
    """A supervisor in a process of its own."""

    def __init__(self, logs: Path, **processes: str) -> None:
        self.logs = logs
        self.popen = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.ops.supervisor_process",
                str(logs),
                *(f"{n}={c}" for n, c in processes.items()),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def until(self, fragment: str, *, timeout_s: float = 15) -> str:
        assert self.popen.stdout is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            line = self.popen.stdout.readline()
            if not line:
                break
            self.said.append(line.rstrip())
            if fragment in line:
                return line
        raise AssertionError(f"{fragment!r} was not said: {self.said}")

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def stop(self, signum: int = signal.SIGTERM) -> float:
        started = time.monotonic()
        self.popen.send_signal(signum)
        assert self.popen.stdout is not None
        self.said += self.popen.stdout.read().splitlines()
        self.popen.wait(timeout=15)
        return time.monotonic() - started


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(**processes: str) -> Rig:
        rigs.append(Rig(tmp_path / "logs", **processes))
        return rigs[-1]

    yield make
    for one in rigs:
        if one.popen.poll() is None:
            one.stop()  # politely: a killed one takes its processes along, and not theirs
        assert one.popen.stdout is not None
        one.popen.stdout.close()


def gone_within(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    _gone, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_backoff_doubles_up_to_its_limit_and_starts_anew_after_a_stable_life() -> None:
    backoff = RestartDelay(first_s=0.5, longest_s=4, stable_s=120)
    assert [backoff.after_exit(lived_s=1) for _ in range(5)] == [0.5, 1, 2, 4, 4]
    assert backoff.after_exit(lived_s=121) == 0.5
    assert backoff.after_exit(lived_s=1) == 1


def test_processes_start_in_order_and_stop_on_a_signal(rig: Callable[..., Rig]) -> None:
    one = rig(first="import time; time.sleep(0.5); print('ready'); time.sleep(600)", then2=STAYS)
    one.until("all ready")
    assert [line.split(":")[0] for line in one.said if "ready after" in line] == ["first", "then2"]
    children = one.descendants()
    assert len(children) == 2
    assert one.stop(signal.SIGINT) < 3
    assert one.popen.returncode == 0
    assert not gone_within(children, 0.1)
    assert one.said[-1].startswith("datahub: stopped in")


def test_a_killed_process_comes_back(rig: Callable[..., Rig]) -> None:
    one = rig(worker=STAYS)
    one.until("all ready")
    (first,) = one.descendants()
    first.kill()
    assert "killed by SIGKILL; again in 0.1 s" in one.until("again in")
    one.until("worker: ready after")
    (second,) = one.descendants()
    assert second.pid != first.pid


def test_what_a_dead_process_leaves_behind_in_its_group_is_killed_before_its_restart(rig: Callable[..., Rig]) -> None:
    one = rig(worker=WITH_CHILD)
    one.until("all ready")
    leader, child = sorted(one.descendants(), key=lambda process: process.ppid() != one.popen.pid)
    leader.kill()
    one.until("again in")
    assert not gone_within([child], 2)


def test_failing_processes_are_retried_ever_more_slowly_with_their_last_words(rig: Callable[..., Rig]) -> None:
    one = rig(broken="import sys; print('no such table: candles'); sys.exit(3)")
    waits = [one.until("again in").split("again in ")[1].split(" ")[0] for _ in range(4)]
    assert waits == ["0.1", "0.2", "0.3", "0.3"]
    assert "exited with code 3: no such table: candles" in one.said[-1]


def test_the_waves_of_a_real_stack_end_within_ten_seconds() -> None:
    assert 2 * WAVE_S + 1 < 10


def test_a_process_that_ignores_the_polite_signal_is_killed_in_time(rig: Callable[..., Rig]) -> None:
    one = rig(stubborn=STUBBORN, hub_stubborn=STUBBORN)
    one.until("all ready")
    children = one.descendants()
    assert one.stop() < 4  # two waves of a second and the sweep
    assert not gone_within(children, 0.1)


def test_a_grandchild_in_a_session_of_its_own_does_not_escape(rig: Callable[..., Rig]) -> None:
    one = rig(worker=WITH_RUNAWAY)
    one.until("all ready")
    children = one.descendants()
    assert len(children) == 2
    one.stop()
    assert not gone_within(children, 0.1)
    assert "1 leftover processes killed" in one.said[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_children_do_not_outlive_a_supervisor_that_is_killed(rig: Callable[..., Rig]) -> None:
    one = rig(worker=STAYS, other=STAYS)
    one.until("all ready")
    children = one.descendants()
    os.kill(one.popen.pid, signal.SIGKILL)
    assert not gone_within(children, 5)


def test_output_is_kept_in_a_log_with_secrets_blotted_out_and_told_in_short(rig: Callable[..., Rig]) -> None:
    one = rig(worker="import time; print('ready'); print('quiet'); print('say token hf_verysecret'); time.sleep(600)")
    assert one.until("worker: say").strip() == "worker: say token ***"
    one.stop()
    text = (one.logs / "worker.log").read_text()
    assert "worker | quiet" in text
    assert "hf_verysecret" not in text
    assert "quiet" not in "\n".join(one.said)


def test_a_full_disk_neither_floods_the_terminal_nor_stops_anything(rig: Callable[..., Rig], tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("worker", "hub"):
        (logs / f"{name}.log").symlink_to("/dev/full")
    one = rig(
        worker="import time; print('ready'); [print(n) for n in range(5000)]; print('say done'); time.sleep(9)",
        hub=STAYS,
    )
    one.until("say done")
    one.stop()
    assert one.popen.returncode == 0
    assert [line for line in one.said if "no space" in line] == [
        f"datahub: lines of the logs are being lost, no space left in {logs}: free some"
    ]
    assert len(one.said) < 10
