"""A month of a fine interval takes a bounded memory, however many series it has and whatever came before."""

import logging
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.history import Month
from datahub_assets.stores.history import base, worker
from datahub_assets.stores.hub import card
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.stores.made_history import MadeHistory

PAIRS = 60
MOST_BYTES = 600 * 1024 * 1024


def _build(told: Connection, home: Path, endpoint: str, token: str, months: list[str]) -> None:
    source = MadeHistory(pairs=tuple(f"P{number:03}USDT" for number in range(PAIRS)))
    hub = Hub(endpoint, token)
    summary = card.Summary(Month(2025, 11).start_ms, None, None, None)
    for month in months:
        found = base.look(OHLC, hub=hub, now_ms=source.now_ms)
        work = worker.MonthWork(
            spec=OHLC,
            group="1m",
            month=Month.parse(month),
            base=found,
            source=source,
            hub=hub,
            home=home,
            clock=lambda: source.now_ms,
            log=logging.getLogger(__name__),
        )
        built = worker.build(work, [(pair, "1m") for pair in source.pairs])
        paths = [file.path for file in built.report.files]
        writes = {card.CARD_PATH: card.render(OHLC, repo_id="x/y", summary=summary, paths=paths, ledgers=[])}
        hub.commit(OHLC, writes=writes, uploaded=built.report.files, deletes=[], message=month, parent=found.head)
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        told.send((int(lines["VmHWM"].split()[0]) * 1024, built.report.rows_added))
    told.close()


def built_apart(home: Path, server: HubServer, token: str, months: list[str]) -> list[tuple[int, int]]:
    """Build months in one process of its own: its peak of memory after each, and by how many rows the month grew."""
    mine, theirs = multiprocessing.Pipe(duplex=False)
    arguments = (theirs, home, server.url, token, months)
    process = multiprocessing.get_context("forkserver").Process(target=_build, args=arguments)
    process.start()
    theirs.close()
    found: list[tuple[int, int]] = []
    try:
        while True:
            found.append(mine.recv())
    except EOFError:
        process.join()
    assert process.exitcode == 0, found
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_is_bounded_and_flat_over_months(tmp_path: Path) -> None:
    with HubServer(tmp_path / "hub") as server:
        token = server.add_user("memory")
        first, second, third = built_apart(tmp_path, server, token, ["2025-01", "2025-02", "2025-03"])
        ((merged, added),) = built_apart(tmp_path, server, token, ["2025-01"])
    assert [first[1], second[1], third[1], added] == [PAIRS * minutes for minutes in (44_640, 40_320, 44_640, 0)]
    assert third[0] <= first[0] * 1.1
    assert max(third[0], merged) <= MOST_BYTES
