"""SQL in the API as it is run: a process of its own, its workers below it."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.process import serving_process
from tests.api.workers import Workers

BOMB = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"


def descendants(url: str) -> list[psutil.Process]:
    """All processes below the one that listens at that address."""
    port = httpx.URL(url).port
    for process in psutil.Process().children():
        if any(f"{port}" in argument for argument in process.cmdline()):
            return process.children(recursive=True)
    raise AssertionError("nobody serves there")


def is_ours(process: psutil.Process) -> bool:
    """Whether it is the nursery or a worker, which run in Python's isolated mode."""
    try:
        return process.cmdline()[1:2] == ["-I"]
    except psutil.ZombieProcess:
        return False


def test_a_statement_ends_when_nobody_waits_for_it(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    """Far from its time limit, so that the one worker is free again for the next statement."""
    token = {"Authorization": f"Bearer {hub.token}"}
    with (
        serving_process(hub, tmp_path, DATAHUB_SQL_TIMEOUT_S="60", DATAHUB_SQL_WORKERS="1") as url,
        httpx.Client(base_url=url, headers=token, timeout=30) as client,
    ):
        for body, query in (({"sql": BOMB}, None), (None, {"q": BOMB})):
            assert client.post("/api/hub/sql", json={"sql": "SELECT 1"}).status_code == 200
            with pytest.raises(httpx.ReadTimeout):
                client.request("GET" if query else "POST", "/api/hub/sql", json=body, params=query, timeout=1)
            until(lambda: "datahub_sql_running 0.0" in client.get("/metrics").text)


def test_bombs_are_stopped_neighbours_answered_and_nobody_is_left(
    hub: HubServer, seeded: Workers, tmp_path: Path
) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    with (
        serving_process(hub, tmp_path, DATAHUB_SQL_TIMEOUT_S="2") as url,
        httpx.Client(base_url=url, headers=token, timeout=30) as client,
        ThreadPoolExecutor() as threads,
    ):

        def ask(sql: str) -> tuple[int, float]:
            started = time.monotonic()
            status = client.post("/api/hub/sql", json={"sql": sql}).status_code
            return status, time.monotonic() - started

        assert ask("SELECT count(*) FROM ohlc")[0] == 200
        bomb = threads.submit(ask, BOMB)
        while not bomb.done():
            assert ask("SELECT max(high) FROM ohlc")[0] == 200
        status, seconds = bomb.result()
        assert status == 408
        assert seconds < 2 + 2
        assert ask("SELECT 1")[0] == 200
        # The fork server and its workers; the one that was killed is replaced.
        until(lambda: sum(map(is_ours, descendants(url))) >= 3)
        below = descendants(url)
        isolated = [process for process in below if is_ours(process)]
        assert len(isolated) >= 3
        for process in isolated:
            with suppress(psutil.ZombieProcess):
                assert hub.token not in str(process.environ())
    for process in below:
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_killed_server_leaves_no_worker_behind(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    with serving_process(hub, tmp_path) as url:
        httpx.post(f"{url}/api/hub/sql", json={"sql": "SELECT 1"}, headers=token, timeout=30).raise_for_status()
        below = descendants(url)
        (fork_server,) = [process for process in below if is_ours(process) and process.children()]
        holder = fork_server.parent()
        assert holder is not None
        holder.send_signal(signal.SIGKILL)
        _gone, alive = psutil.wait_procs([fork_server], timeout=10)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
