"""A loop that threads share: each gets its own result or error, and it ends when it should."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datahub_assets.sources.loop_thread import LoopThread


async def _thread_after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return threading.current_thread().name


def test_all_threads_work_in_one_loop_at_once() -> None:
    meeting: list[asyncio.Barrier] = []

    async def met() -> str:
        """Waits for the other three."""
        if not meeting:
            meeting.append(asyncio.Barrier(4))
        await asyncio.wait_for(meeting[0].wait(), 10)
        return threading.current_thread().name

    with LoopThread("shared") as loop, ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: loop.run(met()), range(4))) == {"shared"}


def test_what_the_work_raises_comes_out() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with LoopThread("failing") as loop, pytest.raises(LookupError, match="nothing there"):
        loop.run(fail())


def test_the_thread_ends_with_close_and_a_later_question_makes_another() -> None:
    loop = LoopThread("ending")
    assert loop.run(_thread_after(0)) == "ending"
    loop.close()
    assert "ending" not in {thread.name for thread in threading.enumerate()}
    assert loop.run(_thread_after(0)) == "ending"
    loop.close()
