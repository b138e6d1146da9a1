"""Who gets the next free worker, step by step."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from api.sql.sandbox.queue import QueueFull, WorkerQueue


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def lanes(workers: int, *, width: int, waiting: int = 10, per_caller: int = 10) -> WorkerQueue[int]:
    made: WorkerQueue[int] = WorkerQueue(width=width, max_waiting=waiting, max_waiting_per_caller=per_caller)
    for number in range(workers):
        made.add(number)
    return made


def last(free: list[int]) -> int:
    return free[-1]


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_caller_may_hold_all_lanes_and_the_spare_is_for_others() -> None:
    async def scene() -> None:
        pool = lanes(3, width=2)
        await pool.acquire("a", last)
        await pool.acquire("a", last)
        third = asyncio.create_task(pool.acquire("a", last))
        await settle()
        assert not third.done()
        assert await pool.acquire("b", last) == 0
        fourth = asyncio.create_task(pool.acquire("c", last))
        await settle()
        assert not fourth.done()
        assert (pool.running, pool.waiting) == (3, 2)
        third.cancel()
        fourth.cancel()

    play(scene())


def test_who_holds_least_comes_first_then_who_came_first() -> None:
    async def scene() -> None:
        pool = lanes(2, width=1)
        held = await pool.acquire("a", last)
        order: list[str] = []

        async def wait(caller: str) -> None:
            worker = await pool.acquire(caller, last)
            order.append(caller)
            pool.release(caller, worker)

        other = await pool.acquire("b", last)
        tasks = [asyncio.create_task(wait(caller)) for caller in ("a", "a", "b", "c", "d")]
        await settle()
        pool.release("b", other)
        await asyncio.gather(tasks[2], tasks[3], tasks[4])
        assert order == ["b", "c", "d"]
        pool.release("a", held)
        await asyncio.gather(*tasks)
        assert order == ["b", "c", "d", "a", "a"]

    play(scene())


def test_a_lane_stays_taken_until_the_replacement_is_there() -> None:
    async def scene() -> None:
        pool = lanes(1, width=1)
        await pool.acquire("a", last)
        waiting = asyncio.create_task(pool.acquire("a", last))
        await settle()
        assert not waiting.done()
        pool.release("a", 7)
        assert await waiting == 7
        pool.release("a", None)
        assert (pool.running, pool.free) == (0, [])

    play(scene())


def test_who_stops_waiting_leaves_nothing_behind() -> None:
    async def scene() -> None:
        pool = lanes(1, width=1)
        worker = await pool.acquire("a", last)
        gone = asyncio.create_task(pool.acquire("b", last))
        stays = asyncio.create_task(pool.acquire("c", last))
        await settle()
        gone.cancel()
        await settle()
        pool.release("a", worker)
        assert await stays == worker
        late = asyncio.create_task(pool.acquire("d", last))
        await settle()
        pool.release("c", worker)  # d gets it and is cancelled before it can use it
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert pool.running == 0
        assert await pool.acquire("e", last) == worker

    play(scene())


@pytest.mark.parametrize(("waiting", "per_caller", "callers"), [(2, 9, "abc"), (9, 2, "aaa")])
def test_too_many_are_turned_away(waiting: int, per_caller: int, callers: str) -> None:
    async def scene() -> None:
        pool = lanes(0, width=1, waiting=waiting, per_caller=per_caller)
        tasks = [asyncio.create_task(pool.acquire(caller, last)) for caller in callers]
        await settle()
        with pytest.raises(QueueFull):
            tasks[-1].result()
        pool.abandon(RuntimeError("over"))
        assert [type(outcome) for outcome in await asyncio.gather(*tasks[:-1], return_exceptions=True)] == [
            RuntimeError
        ] * 2

    play(scene())


def test_the_chooser_picks_among_the_free() -> None:
    async def scene() -> None:
        pool = lanes(3, width=3)
        assert await pool.acquire("a", lambda free: free[1]) == 1
        assert pool.free == [0, 2]

    play(scene())
