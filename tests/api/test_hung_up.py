"""The work of a request ends soon after its client hung up: on a real process by its CPU time, and step by step."""

import asyncio
import io
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import polars as pl
import psutil
import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from api.encoders import FORMATS
from api.engine.latest import latest_rows
from api.engine.selection.query import RowQuery
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from api.history.coverage import series_coverage
from api.history.differences import difference
from api.http.disconnects import ClientDisconnected, stop_if_left, while_connected
from api.http.form import Form, written
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.stores.hub.layout import write
from localhub.testing import HubServer
from tests.api.installed import INCIDENTS, incidents
from tests.api.process import serving_process
from tests.api.snapshots import making
from tests.api.workers import NOW_MS, Workers, candles, prices

COINS = tuple((f"coin-{number:03d}", f"C{number}", 1e9 + number) for number in range(500))
MINUTES = 100
LIMIT = 50_000
WAIT_S = 60.0


@pytest.fixture(scope="module")
def changed(hub: HubServer, workers: Workers) -> tuple[str, str]:
    """Two commits of prices, 50,000 of which differ, and one of candles."""
    workers.publish(OHLC, candles(count=3))
    rows = pl.concat([prices(at_ms=NOW_MS + minute * 60_000, coins=COINS) for minute in range(MINUTES)])
    api, repo = HfApi(endpoint=hub.url, token=hub.token), f"local/{MARKET.repo_name}"
    api.create_repo(repo, repo_type="dataset", exist_ok=True)
    made = []
    for factor in (1.0, 2.0):
        content = write(MARKET, rows.with_columns(pl.col("price") * factor).sort(MARKET.sort))
        files = [CommitOperationAdd("data/2026-11-22.parquet", io.BytesIO(content))]
        made.append(api.create_commit(repo, files, commit_message="prices", repo_type="dataset").oid)
    return made[0], made[1]


class Watched:
    """The served API, and the CPU time it takes."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._port = url, int(urlsplit(url).port or 0)
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", "Host": "127.0.0.1"}
        children = psutil.Process().children(recursive=True)
        self._process = next(one for one in children if one.cmdline()[-2:] == ["--port", str(self._port)])

    def _idle_cpu_s(self) -> float:
        """CPU seconds taken so far, as soon as they do not grow any more."""
        deadline, last, quiet = time.monotonic() + WAIT_S, -1.0, 0
        while quiet < 5:
            assert time.monotonic() < deadline, "the work does not end"
            time.sleep(0.1)
            now = sum(self._process.cpu_times()[:2])
            last, quiet = now, quiet + 1 if now - last < 0.02 else 0
        return last

    def whole_s(self, path: str) -> float:
        """What a request takes that is read to the end."""
        before = self._idle_cpu_s()
        answer = httpx.get(self._url + path, headers=self._headers, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text[:500]
        return self._idle_cpu_s() - before

    def hung_up_s(self, path: str) -> float:
        """What a request takes whose client goes at once."""
        before = self._idle_cpu_s()
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
        with socket.create_connection(("127.0.0.1", self._port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
            time.sleep(0.05)
        return self._idle_cpu_s() - before


def test_a_difference_nobody_waits_for_is_not_worked_out(
    hub: HubServer, changed: tuple[str, str], tmp_path: Path
) -> None:
    path = f"/api/hub/diff?dataset=market&from={changed[0]}&to={changed[1]}&limit="
    with serving_process(hub, tmp_path) as url:
        api = Watched(url, hub.token)
        api.whole_s(f"{path}1")  # which fetches the earlier commit
        whole = api.whole_s(f"{path}{LIMIT}")
        # The least of three: what else a machine does only adds to it.
        assert min(api.hung_up_s(f"{path}{LIMIT - less}") for less in (1, 2, 3)) < whole / 3
        metrics = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {hub.token}"}).text
        assert any('status="499"' in line and "/api/hub/diff" in line for line in metrics.splitlines())


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Prices of three minutes, and incidents, which have filters that rows are searched for."""
    with making(tmp_path_factory.mktemp("files")) as maker:
        of_prices = maker.snapshot(MARKET, *(prices(at_ms=NOW_MS + minute) for minute in range(3)))
        yield of_prices, maker.snapshot(INCIDENTS, incidents(30))


def works(of_prices: Snapshot, of_incidents: Snapshot) -> dict[str, Callable[[], object]]:
    everything = RowQuery(dataset=MARKET.name, columns=("price",), limit=100, descending=False, start_ms=0)
    rare = RowQuery(
        dataset=INCIDENTS.name,
        columns=("incident_id",),
        limit=100,
        descending=True,
        filters=(("severity", ("major",)),),
    )
    nothing = Snapshot(MARKET, "", of_prices.commit, (), {}, {}, frozenset())
    many = pl.DataFrame({"number": range(3000)})
    return {
        "a range": partial(rows_of, of_prices, everything),
        "a search": partial(rows_of, of_incidents, rare),
        "the newest rows": partial(latest_rows, of_prices),
        "a difference": partial(difference, nothing, of_prices),
        "coverage": partial(series_coverage, of_prices),
        "text": partial(Form(FORMATS["json"], numbers_as_text=False, coding="").write, many),
        "a body": partial(written, bytes(3 << 20), "gzip"),
    }


async def gone() -> Any:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(
    "name", ["a range", "a search", "the newest rows", "a difference", "coverage", "text", "a body"]
)
def test_work_of_many_steps_ends_between_them(commits: tuple[Snapshot, Snapshot], name: str) -> None:
    work = works(*commits)[name]
    ended: list[str] = []

    def run() -> None:
        deadline = time.monotonic() + WAIT_S
        try:
            while time.monotonic() < deadline:
                stop_if_left()
                time.sleep(0.001)
        except ClientDisconnected:
            ended.append("told")
        try:
            work()
        except ClientDisconnected:
            ended.append("stopped")

    async def ask() -> None:
        with pytest.raises(ClientDisconnected):
            await while_connected(gone, run, run=asyncio.to_thread)
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(ask())
    assert ended == ["told", "stopped"]
    work()
