"""SQL in the API as it is run: a process of its own, its workers below it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.process import free_port, process, serving_process
from tests.api.workers import Workers

BOMB = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"


def descendants(url: str) -> list[psutil.Process]:
    """All processes below the one that listens at that address."""
    port = httpx.URL(url).port
    for one in psutil.Process().children():
        if any(f"{port}" in argument for argument in one.cmdline()):
            return one.children(recursive=True)
    raise AssertionError("nobody serves there")


def is_ours(one: psutil.Process) -> bool:
    """Whether it is the fork server or a worker, which run in Python's isolated mode."""
    try:
        return one.cmdline()[1:2] == ["-I"]
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
        isolated = [one for one in below if is_ours(one)]
        assert len(isolated) >= 3
        for one in isolated:
            with suppress(psutil.ZombieProcess):
                assert hub.token not in str(one.environ())
    for one in below:
        assert not one.is_running() or one.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_killed_server_leaves_no_worker_behind(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    port = free_port()
    url, token = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {hub.token}"}
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    with process(environ, "serve", "--port", str(port)) as server:
        until(lambda: is_answered(url, token), timeout_s=60)
        isolated = [one for one in descendants(url) if is_ours(one)]
        assert len(isolated) >= 3
        server.kill()
        _gone, alive = psutil.wait_procs(isolated, timeout=10)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def is_answered(url: str, token: dict[str, str]) -> bool:
    with suppress(httpx.TransportError):
        return httpx.post(f"{url}/api/hub/sql", json={"sql": "SELECT 1"}, headers=token, timeout=30).is_success
    return False
