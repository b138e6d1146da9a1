"""What callers may try and must not achieve: nothing gets out, nothing is written, everybody else is served."""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.http.errors import SqlError
from api.sql.sandbox.errors import (
    SqlCrashed,
    SqlInvalid,
    SqlMemory,
    SqlRejected,
    SqlTimeout,
    SqlTooLarge,
    SqlUnknownTable,
)
from tests.api.sql import attacks
from tests.api.sql.conftest import CANDLES, SECRET, SYMBOLS, Sandbox

ROOT = str(Path(__file__).parents[3])
PER_QUERY_LATENCY_S = 2.0
GROWTH_BYTES = 64 << 20


class Neighbour:
    """Somebody else, who asks the same simple thing again and again while the attacks go on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._stop = False
        self.answered = 0
        self.slowest_s = 0.0
        self._done: Future[Any] = sandbox.loop.begin(self._ask())

    async def _ask(self) -> None:
        while not self._stop:
            started = time.monotonic()
            result = await self._sandbox.pool.run(
                "SELECT count(*) AS n FROM ohlc", snapshot=self._sandbox.snapshot, caller="neighbour"
            )
            assert result.table.to_pylist() == [{"n": 2 * CANDLES * len(SYMBOLS)}]
            self.answered += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)

    def stop(self) -> None:
        self._stop = True
        self._done.result(30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reach")
    (folder / "secret.csv").write_text(f"token\n{SECRET}\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def neighbour(guarded: Sandbox) -> Iterator[Neighbour]:
    """Runs through all attacks; at the end, it was served all the time, and this process has not grown."""
    server = psutil.Process(os.getpid())
    before = server.memory_info().rss
    neighbour = Neighbour(guarded)
    yield neighbour
    neighbour.stop()
    assert neighbour.answered > 0
    assert neighbour.slowest_s < PER_QUERY_LATENCY_S
    assert server.memory_info().rss - before < GROWTH_BYTES
    guarded.until_all_ready()


def tried(guarded: Sandbox, statement: str, folder: Path) -> SqlError:
    """The error the statement ends with, after looking that it says and changes nothing it should not."""
    files_before = sorted(folder.iterdir())
    with pytest.raises(SqlError) as caught:
        guarded.run(statement, caller="attacker")
    said = str(caught.value).replace(str(folder), "")
    for inside in (SECRET, ROOT, sys.prefix, sys.base_prefix, "Traceback", "/proc/self", "site-packages"):
        assert inside not in said
    assert sorted(folder.iterdir()) == files_before
    return caught.value


def filled(statement: str, folder: Path) -> str:
    return statement.format(secret=folder / "secret.csv", folder=folder)


@pytest.mark.parametrize("name", attacks.FILES)
def test_no_file_or_address_is_reachable(guarded: Sandbox, folder: Path, name: str) -> None:
    error = tried(guarded, filled(attacks.FILES[name], folder), folder)
    assert isinstance(error, SqlRejected | SqlInvalid)


@pytest.mark.parametrize("name", attacks.WRITES)
def test_nothing_can_be_written_or_changed(guarded: Sandbox, folder: Path, name: str) -> None:
    error = tried(guarded, filled(attacks.WRITES[name], folder), folder)
    assert isinstance(error, SqlRejected | SqlInvalid)


@pytest.mark.parametrize("name", attacks.SETTINGS_AND_STATE)
def test_no_setting_and_no_state_is_reachable(guarded: Sandbox, folder: Path, name: str) -> None:
    error = tried(guarded, filled(attacks.SETTINGS_AND_STATE[name], folder), folder)
    assert isinstance(error, SqlRejected | SqlInvalid)


@pytest.mark.parametrize("name", attacks.MANY_AND_HIDDEN)
def test_no_disguise_helps(guarded: Sandbox, folder: Path, name: str) -> None:
    error = tried(guarded, filled(attacks.MANY_AND_HIDDEN[name], folder), folder)
    assert isinstance(error, SqlRejected | SqlInvalid | SqlUnknownTable)


@pytest.mark.parametrize("name", attacks.BOMBS)
def test_a_bomb_is_stopped_in_time_and_the_next_statement_works(guarded: Sandbox, folder: Path, name: str) -> None:
    started = time.monotonic()
    error = tried(guarded, attacks.BOMBS[name], folder)
    assert isinstance(error, SqlTimeout | SqlMemory | SqlTooLarge | SqlCrashed | SqlInvalid | SqlRejected)
    assert time.monotonic() - started < 1.0 + 2.0
    assert guarded.rows("SELECT 42 AS answer", caller="attacker") == [{"answer": 42}]


def test_there_are_more_attacks_than_promised() -> None:
    groups = (attacks.FILES, attacks.WRITES, attacks.SETTINGS_AND_STATE, attacks.MANY_AND_HIDDEN, attacks.BOMBS)
    assert len({statement for group in groups for statement in group.values()}) == sum(map(len, groups))
    assert sum(map(len, groups)) >= 200
