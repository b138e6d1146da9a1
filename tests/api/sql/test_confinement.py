"""What a worker could still do if DuckDB, or our reading of SQL, had a hole: nothing. Tried from inside."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.sql.conftest import SECRET, Sandbox

ROOT = Path(__file__).parents[3]
LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"

# Confined as a worker is, then everything is tried that code in the process could try.
INSIDE = """
import ctypes, json, mmap, os, resource, signal, socket, subprocess, sys, threading

from api.sql.sandbox import confinement; from api.sql.sandbox.worker import worker
from api.sql.sandbox.limits import SqlLimits

secret, folder, server = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)


def outcome(attempt):
    try:
        value = attempt()
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return f"DONE {value!r}"


def duckdb_itself(sql):
    # The connection itself, past all our checks of statements.
    return lambda: session._engine._database.cursor().execute(sql).fetchall()


def unlocked(sql):
    def run():
        import duckdb
        found = duckdb.connect(":memory:").execute(sql).fetchall()
        if not found:
            raise FileNotFoundError("DuckDB finds nothing there")
        return found
    return run


session, report = worker._confined(SqlLimits(memory_mb=64), confinement.MemoryGauge.open())
attempts = {
    "open a file": lambda: open(secret).read(),
    "open a file to write": lambda: open(folder + "/written", "w").write("x"),
    "list a folder": lambda: os.listdir(folder),
    "make a folder": lambda: os.mkdir(folder + "/made"),
    "remove a file": lambda: os.remove(secret),
    "rename a file": lambda: os.rename(secret, secret + "2"),
    "link a file": lambda: os.symlink(secret, folder + "/link"),
    "truncate a file": lambda: os.truncate(secret, 0),
    "read the environment": lambda: open("/proc/self/environ").read(),
    "read the server's memory": lambda: open(f"/proc/{server}/mem", "rb"),
    "a TCP connection": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "a UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "a Unix socket": lambda: socket.socket(socket.AF_UNIX).connect("/run/x"),
    "a socket pair": lambda: socket.socketpair(),
    "fork": lambda: os.fork(),
    "a program": lambda: subprocess.run(["/bin/true"]),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "signal the server": lambda: os.kill(server, signal.SIGTERM),
    "signal the own process": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "become root": lambda: os.setuid(0),
    "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "a file in memory": lambda: os.memfd_create("x"),
    "a new library": lambda: ctypes.CDLL("libutil.so.1"),
    "raise the memory limit": lambda: resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2),
    "more memory": lambda: len(bytearray(300 * 1024 * 1024)),
    "DuckDB reads a file": duckdb_itself(f"SELECT content FROM read_text('{secret}')"),
    "DuckDB lists files": duckdb_itself(f"FROM glob('{folder}/*')"),
    "DuckDB writes a file": duckdb_itself(f"COPY (SELECT 1) TO '{folder}/copied.csv'"),
    "DuckDB attaches a file": duckdb_itself(f"ATTACH '{folder}/attached.db'"),
    "DuckDB loads an extension": duckdb_itself("INSTALL httpfs"),
    "DuckDB changes a setting": duckdb_itself("SET memory_limit = '100GB'"),
    "DuckDB opens itself up": duckdb_itself("SET enable_external_access = true"),
    "another DuckDB reads a file": unlocked(f"SELECT content FROM read_text('{secret}')"),
    "another DuckDB writes a file": unlocked(f"COPY (SELECT 1) TO '{folder}/copied.csv'"),
}
results = {name: outcome(attempt) for name, attempt in attempts.items()}
thread = threading.Thread(target=lambda: results.update({"a file in a thread": outcome(lambda: open(secret).read())}))
thread.start()
thread.join()
print(json.dumps({"report": report, "results": results, "environment": dict(os.environ)}), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("outside")
    folder.chmod(0o777)  # so that file permissions are not what protects it
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o055)
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o666)
    tried = subprocess.run(
        [sys.executable, "-c", INSIDE, str(secret), str(folder), str(os.getpid())],
        env={"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert tried.returncode == 0, tried.stderr
    assert sorted(folder.iterdir()) == [secret]
    assert secret.read_text() == SECRET
    found: dict[str, Any] = json.loads(tried.stdout)
    return found


def test_nothing_can_be_done_from_inside(inside: dict[str, Any]) -> None:
    if not LINUX_X86:
        pytest.skip("all layers together exist on Linux on x86-64 only")
    done = {name: outcome for name, outcome in inside["results"].items() if outcome.startswith("DONE")}
    assert done == {}
    assert SECRET not in json.dumps(inside["results"])


def test_every_layer_holds_here_and_says_so(inside: dict[str, Any]) -> None:
    if not LINUX_X86:
        pytest.skip("all layers together exist on Linux on x86-64 only")
    report = inside["report"]
    assert report["threads"] == "1"
    for layer in ("privileges", "files", "system_calls", "memory"):
        assert report[layer].startswith("yes"), report


def test_workers_report_their_confinement(sandbox: Sandbox) -> None:
    assert sandbox.pool.state.confinement.keys() == {"threads", "privileges", "files", "system_calls", "memory"}


def test_workers_inherit_no_secret_no_file_and_no_socket(guarded: Sandbox) -> None:
    """As the system sees them: what their environment was, and what they hold open."""
    if sys.platform != "linux":
        pytest.skip("/proc is Linux's")
    guarded.until_all_ready()
    assert os.environ["HF_TOKEN"].endswith(SECRET)
    for worker in guarded.pool.workers:
        environment = Path(f"/proc/{worker.pid}/environ").read_bytes()
        assert SECRET.encode() not in environment
        assert b"TOKEN" not in environment
        held = [str(path.readlink()) for path in Path(f"/proc/{worker.pid}/fd").iterdir()]
        sockets = [link for link in held if link.startswith("socket:")]
        others = [link for link in held if link not in sockets and link != "/dev/null" and "statm" not in link]
        assert len(sockets) == 1
        assert len(others) == 1, held  # standard error: a file without a name, which cannot grow any more
        assert others[0].endswith("(deleted)")


def test_workers_are_killed_as_groups_and_weighed_as_one_session(guarded: Sandbox) -> None:
    """A nice value counts within a session where the kernel shares the processor out by session."""
    guarded.until_all_ready()
    sessions = {os.getsid(worker.pid) for worker in guarded.pool.workers}
    assert len(sessions) == 1
    assert os.getsid(0) not in sessions
    for worker in guarded.pool.workers:
        assert os.getpgid(worker.pid) == worker.pid
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        weighed = Path(f"/proc/{worker.pid}/autogroup")
        if weighed.exists() and os.geteuid() == 0:  # others may write there ten times a second, all together
            assert weighed.read_text().split()[-2:] == ["nice", "3"]
