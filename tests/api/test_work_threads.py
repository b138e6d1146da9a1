"""Where work is done: small work apart from large work, and large work in turn and within bounds."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest
from litestar.types import HTTPDisconnectEvent

from api.http.errors import ServerBusy
from api.http.work_threads import WorkThreads
from tests.api.conftest import Client


class Held:
    """Work that goes on until it is let go, and notes that it was done."""

    def __init__(self, done: list[str], name: str) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()
        self._done = done
        self._name = name

    def __call__(self) -> str:
        self.began.set()
        assert self.let_go.wait(20)
        self._done.append(self._name)
        return self._name


async def stays() -> HTTPDisconnectEvent:
    """A caller who waits for the answer, however long it takes."""
    await asyncio.Event().wait()
    raise AssertionError


def run(body: Callable[[WorkThreads], Coroutine[Any, Any, None]], *, most_waiting: int = 8) -> None:
    async def main() -> None:
        threads = WorkThreads(large=1, most_waiting=most_waiting)
        try:
            await body(threads)
        finally:
            threads.close()

    asyncio.run(main())


async def begun(threads: WorkThreads, work: Held) -> "asyncio.Task[str]":
    """The task of large work that is under way."""
    task = asyncio.create_task(threads.large(stays, work))
    await asyncio.to_thread(work.began.wait, 20)
    return task


def test_small_work_is_done_at_once_while_nothing_large_is_under_way_and_never_behind_it() -> None:
    async def body(threads: WorkThreads) -> None:
        here = threading.get_ident()
        assert await threads.small(threading.get_ident) == here
        large = Held([], "large")
        task = await begun(threads, large)
        assert await threads.small(threading.get_ident) != here, "and not on the event loop, where it might wait"
        large.let_go.set()
        await task
        await asyncio.sleep(0)
        assert await threads.small(threading.get_ident) == here

    run(body)


def test_a_begun_answer_and_a_new_one_take_turns() -> None:
    async def body(threads: WorkThreads) -> None:
        done: list[str] = []
        first = Held(done, "first")
        waiting: list[asyncio.Task[Any]] = [await begun(threads, first)]
        waiting += [
            asyncio.create_task(threads.large(stays, partial(done.append, name))) for name in ("new 1", "new 2")
        ]
        chunks = iter([b"one", b"two"])

        async def stream() -> None:
            while (chunk := await threads.next_of(chunks)) is not None:
                done.append(chunk.decode())

        waiting.append(asyncio.create_task(stream()))
        await asyncio.sleep(0)
        first.let_go.set()
        await asyncio.gather(*waiting)
        assert done.index("one") < done.index("new 2"), "it does not wait behind all that came before it"
        assert done.index("new 1") < done.index("two"), "nor do others wait until it ends"

    run(body)


def test_what_waits_is_bounded_and_what_has_begun_is_not_refused() -> None:
    async def body(threads: WorkThreads) -> None:
        large = Held([], "large")
        tasks = [await begun(threads, large), asyncio.create_task(threads.large(stays, lambda: "second"))]
        await asyncio.sleep(0)
        with pytest.raises(ServerBusy) as refused:
            await threads.large(stays, lambda: "third")
        assert refused.value.headers["Retry-After"] == "5"
        rest = asyncio.create_task(threads.next_of(iter([b"chunk"])))
        await asyncio.sleep(0)
        large.let_go.set()
        assert await asyncio.gather(*tasks) == ["large", "second"]
        assert await rest == b"chunk"

    run(body, most_waiting=1)


def test_a_caller_that_goes_leaves_its_place_to_the_next() -> None:
    async def body(threads: WorkThreads) -> None:
        large = Held([], "large")
        running = await begun(threads, large)
        gone, stays = (asyncio.create_task(threads.large(stays, partial(str, name))) for name in ("gone", "stays"))
        await asyncio.sleep(0)
        gone.cancel()
        running.cancel()  # its thread goes on, and nothing else may use it meanwhile
        await asyncio.gather(gone, running, return_exceptions=True)
        assert not stays.done()
        large.let_go.set()
        assert await asyncio.wait_for(stays, 20) == "stays"

    run(body)


CANDLES = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit="
PRICES = "/api/hub/market?limit="


@pytest.fixture
def overwhelmed(client: Client) -> Iterator[Client]:
    """The application with more large work than it has threads, none of which comes to an end."""
    for path in (CANDLES, PRICES):  # a file that nobody has read yet is read by large work
        assert client.get(f"{path}1").status_code == 200
    threads = client.app.state.answers.threads
    work = [Held([], "held") for _ in range(40)]
    with client.portal() as portal:
        waiting = [portal.start_task_soon(threads.large, stays, one) for one in work]
        try:
            assert work[0].began.wait(20)
            yield client
        finally:
            for one in work:
                one.let_go.set()
            for future in waiting:
                future.result(20)


@pytest.mark.parametrize("path", ["/api/hub/status", "/api/hub/health", "/api/health", "/metrics"])
def test_how_the_server_is_can_be_asked_however_much_it_has_to_do(overwhelmed: Client, path: str) -> None:
    assert overwhelmed.get(path).status_code == 200


@pytest.mark.parametrize("path", [CANDLES, PRICES])
def test_small_answers_come_however_many_large_ones_wait(overwhelmed: Client, path: str) -> None:
    assert len(overwhelmed.get(f"{path}2").json()) == 2
