"""What a statement may use, and that being over a limit hurts nobody but its author, and him not for long."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.http.errors import SqlError
from api.sql.sandbox.errors import SqlBusy, SqlCrashed, SqlMemory, SqlTimeout, SqlTooLarge, SqlUnavailable
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.pool import SandboxPool
from api.sql.sandbox.snapshot import SqlSnapshot
from datahub_assets.settings import Settings
from tests.api.sql.conftest import Loop, Sandbox, running

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"
MEBIBYTE = 1 << 20


def is_alive(pid: int) -> bool:
    """Whether the process is there, and not only waits to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_limits_come_from_the_settings() -> None:
    pool = SandboxPool.of(Settings.from_env({"DATAHUB_SQL_TIMEOUT_S": "3", "DATAHUB_SQL_WORKERS": "5"}))
    limits = pool.limits
    assert (limits.timeout_s, limits.memory_mb, limits.max_rows, limits.max_bytes) == (3, 512, 100_000, 64 * MEBIBYTE)
    assert pool.size == 5 + 1


def test_time_is_limited_and_the_next_statement_works_at_once(guarded: Sandbox) -> None:
    started = time.monotonic()
    with pytest.raises(SqlTimeout, match="longer than 1 s"):
        guarded.run(ENDLESS)
    assert time.monotonic() - started < 1.0 + 2.0
    started = time.monotonic()
    assert guarded.rows("SELECT 1 AS x") == [{"x": 1}]
    assert time.monotonic() - started < 1.0


@pytest.mark.parametrize(("rows", "fits"), [(10_000, True), (10_001, False)])
def test_rows_are_limited_to_the_row(guarded: Sandbox, rows: int, *, fits: bool) -> None:
    statement = f"SELECT 1 AS x FROM range({rows})"  # noqa: S608
    if fits:
        assert guarded.run(statement).table.num_rows == rows
    else:
        with pytest.raises(SqlTooLarge, match="more than 10,000 rows"):
            guarded.run(statement)


@pytest.mark.parametrize(("kibibytes", "fits"), [(3_900, True), (4_200, False)])
def test_bytes_are_limited(guarded: Sandbox, kibibytes: int, *, fits: bool) -> None:
    statement = f"SELECT repeat('x', 1024) AS x FROM range({kibibytes})"  # noqa: S608
    if fits:
        assert guarded.run(statement).table.num_rows == kibibytes
    else:
        with pytest.raises(SqlTooLarge, match="more than 4,194,304 bytes"):
            guarded.run(statement)


def test_memory_is_limited_by_the_kernel(guarded: Sandbox) -> None:
    """What DuckDB does not count (strings of a function) is stopped too, and the worker never held more than it may."""
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            for process in psutil.Process(os.getpid()).children(recursive=True):
                with_memory = process.memory_info() if process.is_running() else None
                peak = max(peak, with_memory.rss - with_memory.shared if with_memory else 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for size in (10**8, 10**9):
            with pytest.raises(SqlMemory):
                guarded.run("SELECT sum(length(repeat('x', ?::INT + i))) FROM range(1000) t(i)", [size])
    finally:
        done.set()
        watcher.join()
    idle = max(worker.idle_bytes for worker in guarded.pool.workers)
    assert peak < idle + (128 + 32) * MEBIBYTE


def test_a_killed_worker_is_replaced_and_its_statement_fails_cleanly(guarded: Sandbox) -> None:
    guarded.until_all_ready()
    before = {worker.pid for worker in guarded.pool.workers}
    running_one: Future[Any] = guarded.begin(ENDLESS)
    guarded.until(lambda: guarded.pool.state.running == 1)
    busy = [worker for worker in guarded.pool.workers if worker not in guarded.pool.free]
    os.kill(busy[0].pid, signal.SIGSEGV)
    with pytest.raises(SqlCrashed):
        running_one.result(10)
    guarded.until_all_ready()
    assert len(before & {worker.pid for worker in guarded.pool.workers}) == len(before) - 1
    assert not is_alive(busy[0].pid)


def test_idle_workers_that_die_are_replaced_before_anybody_notices(guarded: Sandbox) -> None:
    guarded.until_all_ready()
    workers = guarded.pool.workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    guarded.until(lambda: not any(worker.is_alive() for worker in workers))
    for _ in range(4):
        assert guarded.rows("SELECT 1 AS x") == [{"x": 1}]
    guarded.until_all_ready()


def test_values_that_are_too_long_are_refused_and_break_nothing(guarded: Sandbox) -> None:
    before = {worker.pid for worker in guarded.pool.workers}
    with pytest.raises(SqlTooLarge, match="values are too long"):
        guarded.run("SELECT length(?)", ["x" * (9 << 20)])
    assert {worker.pid for worker in guarded.pool.workers} == before


def test_when_the_fork_server_dies_another_one_is_started(loop: Loop, snapshot: SqlSnapshot) -> None:
    with running(loop, snapshot, workers=1, timeout_s=0.5) as sandbox:
        before = {worker.pid for worker in sandbox.pool.workers}
        (fork_server,) = {psutil.Process(pid).parent() for pid in before}
        assert fork_server is not None
        assert fork_server.ppid() == os.getpid()
        fork_server.kill()

        def answers() -> bool:
            with suppress(SqlError):
                return sandbox.rows("SELECT 1 AS x") == [{"x": 1}]
            return False

        sandbox.until(lambda: answers() and not before & {worker.pid for worker in sandbox.pool.workers})


def test_a_caller_who_goes_away_frees_the_worker_at_once(loop: Loop, snapshot: SqlSnapshot) -> None:
    with running(loop, snapshot, workers=1, timeout_s=30) as sandbox:
        asked = sandbox.begin(ENDLESS)
        sandbox.until(lambda: sandbox.pool.state.running == 1)
        asked.cancel()
        sandbox.until_all_ready()
        assert sandbox.pool.state.running == 0


def test_one_callers_slow_statements_do_not_keep_another_waiting(loop: Loop, snapshot: SqlSnapshot) -> None:
    with running(loop, snapshot, workers=2, timeout_s=5, max_wait_s=0.5) as sandbox:
        slow = [sandbox.begin(ENDLESS, caller="slow") for _ in range(6)]
        sandbox.until(lambda: sandbox.pool.state.running == 2 and sandbox.pool.state.waiting == 4)
        for _ in range(20):
            assert sandbox.rows("SELECT 1 AS x", caller="quick") == [{"x": 1}]
        assert sandbox.pool.state.running == 2
        errors = [type(one.exception(20)) for one in slow]
        assert sorted(error.__name__ for error in errors) == ["SqlBusy"] * 4 + ["SqlTimeout"] * 2


def test_too_many_who_wait_are_told_so_at_once(loop: Loop, snapshot: SqlSnapshot) -> None:
    with running(loop, snapshot, workers=1, timeout_s=2, max_waiting=3, max_waiting_per_caller=2) as sandbox:
        begun = [sandbox.begin(ENDLESS, caller="a") for _ in range(3)]
        sandbox.until(lambda: sandbox.pool.state.waiting == 2)
        for caller in ("a", "a"):
            with pytest.raises(SqlBusy) as caught:
                sandbox.run("SELECT 1", caller=caller)
            assert sandbox.pool.state.waiting == 2, "those before are still waiting"
            assert caught.value.headers == {"Retry-After": "1"}
        assert sandbox.rows("SELECT 1 AS x", caller="b") == [{"x": 1}]
        for one in begun:
            one.cancel()


def test_many_statements_at_once_all_get_their_own_answer(sandbox: Sandbox) -> None:
    asked = [(number, sandbox.begin("SELECT ? AS x", [number], caller=str(number % 7))) for number in range(60)]
    for number, answer in asked:
        assert answer.result(30).table.to_pylist() == [{"x": number}]


def test_the_pool_ends_with_everything_it_started(loop: Loop, snapshot: SqlSnapshot) -> None:
    server = psutil.Process(os.getpid())
    before = {child.pid for child in server.children(recursive=True)}
    with running(loop, snapshot, workers=2, timeout_s=30) as sandbox:
        asked = [sandbox.begin(ENDLESS, caller=str(number)) for number in range(5)]
        sandbox.until(lambda: sandbox.pool.state.running == 3)
        started = {child.pid for child in server.children(recursive=True)} - before
        assert len(started) == 4  # the fork_server and three workers
    for one in asked:
        assert isinstance(one.exception(10), SqlUnavailable)
    assert not started & {child.pid for child in server.children(recursive=True)}
    with pytest.raises(SqlUnavailable):
        sandbox.run("SELECT 1")


def test_workers_end_when_the_server_is_killed(tmp_path: Path) -> None:
    """Nobody is left behind, not even a worker in the middle of a statement."""
    script = tmp_path / "server.py"
    script.write_text(
        f"""
import asyncio, os
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.pool import SandboxPool
from api.sql.sandbox.snapshot import SqlSnapshot

async def main():
    pool = SandboxPool(SqlLimits(timeout_s=1.0), workers=1)
    await pool.run("SELECT 1", snapshot=SqlSnapshot("none"))
    asyncio.ensure_future(pool.run({ENDLESS!r}, snapshot=SqlSnapshot("none")))
    while pool.state.running == 0:
        await asyncio.sleep(0.01)
    print(*(worker.pid for worker in pool.workers), flush=True)
    await asyncio.sleep(0.2)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    )
    root = Path(__file__).parents[3]
    server = subprocess.run(
        [sys.executable, str(script)], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )
    assert server.returncode == -signal.SIGKILL, server.stderr
    left = {int(pid) for pid in server.stdout.split()}
    assert left
    deadline = time.monotonic() + 5
    while any(map(is_alive, left)):
        assert time.monotonic() < deadline, "a worker outlived its server"
        time.sleep(0.05)


def test_a_worker_that_cannot_start_is_a_plain_error(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    pool = SandboxPool(SqlLimits(max_wait_s=0.3), workers=1)
    with pytest.raises((SqlUnavailable, SqlBusy)):
        loop.run(pool.run("SELECT 1", snapshot=SqlSnapshot("none")))
    with pytest.raises(SqlUnavailable, match="no SQL worker can be started"):
        loop.run(pool.run("SELECT 1", snapshot=SqlSnapshot("none")))
    loop.run(pool.close())


@pytest.mark.slow
def test_memory_stays_flat_over_many_statements(loop: Loop, snapshot: SqlSnapshot) -> None:
    """Hundreds of statements of all sorts: neither this process nor the workers grow."""
    with running(loop, snapshot, workers=2) as sandbox:
        server = psutil.Process(os.getpid())

        def hundred() -> None:
            for number in range(100):
                sandbox.rows("SELECT symbol, avg(close + ?) FROM ohlc GROUP BY ALL", [number])
                sandbox.run("SELECT * FROM ohlc, range(100)")
                with pytest.raises(SqlError):
                    sandbox.run("SELECT nope FROM ohlc")

        hundred()
        before = server.memory_info().rss
        for _ in range(3):
            hundred()
        assert server.memory_info().rss - before < 32 * MEBIBYTE
        assert all(worker.grown_bytes < 128 * MEBIBYTE for worker in sandbox.pool.workers)


def test_a_worker_gives_back_what_a_statement_made_it_take(loop: Loop, snapshot: SqlSnapshot) -> None:
    sorting = "SELECT max(h) AS h FROM (SELECT md5(range::VARCHAR) AS h FROM range(1500000) ORDER BY h LIMIT 1499999)"
    with running(loop, snapshot, workers=1, timeout_s=60) as sandbox:
        sandbox.run(sorting)
        worker = max(sandbox.pool.workers, key=lambda one: one.grown_bytes)
        taken, answered = worker.grown_bytes, worker.answered
        sandbox.run("SELECT 1 AS x")
        assert worker.answered == answered + 1, "the worker used last is asked first"
        assert taken > 32 * MEBIBYTE
        assert worker.grown_bytes < taken / 2
