"""What was used lately is kept within bounds, and what is not used goes."""

import asyncio

import pytest

from api import memory
from api.caching.response_cache import CachedAnswer, ResponseCache
from api.http.recent import Recent
from api.memory import MemoryKeeper


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_values_unused_for_longest_make_room() -> None:
    kept: Recent[str, str] = Recent(10)
    for name in "abc":
        kept.put(name, name.upper(), weight=3)
    assert kept.get("a") == "A"
    kept.put("d", "D", weight=3)
    assert [kept.get(name) for name in "abcd"] == ["A", None, "C", "D"]
    kept.put("d", "D again", weight=4)
    assert (kept.weight, len(kept), kept.get("d")) == (10, 3, "D again")


def test_values_nobody_uses_are_let_go() -> None:
    clock = Clock()
    kept: Recent[str, str] = Recent(100, clock=clock)
    kept.put("used", "1", weight=1)
    kept.put("unused", "2", weight=1)
    clock.now_s = 40.0
    assert kept.get("used") == "1"
    clock.now_s = 60.0
    kept.forget_unused(for_s=60)
    assert (kept.get("unused"), kept.get("used"), kept.weight) == (None, "1", 1)


def test_answers_are_among_what_is_let_go() -> None:
    cache = ResponseCache(1 << 20)
    cache.put(CachedAnswer(b"etag", b"body", {}, "application/json"))
    cache.forget_unused(for_s=60)
    assert cache.get(b"etag") is not None
    cache.forget_unused(for_s=0)
    assert cache.get(b"etag") is None


def test_all_that_forgets_is_told_to_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_EVERY_S", 0.01)
    told: asyncio.Queue[float] = asyncio.Queue()

    class Kept:
        def forget_unused(self, *, for_s: float) -> None:
            told.put_nowait(for_s)

    async def run() -> list[float]:
        keeper = MemoryKeeper([Kept()])
        keeper.start()
        try:
            async with asyncio.timeout(20):
                return [await told.get() for _ in range(2)]
        finally:
            await keeper.stop()

    assert asyncio.run(run()) == [memory.UNUSED_S] * 2
