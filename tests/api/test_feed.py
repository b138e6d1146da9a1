"""How changes are told, part by part: who is told what, how many may listen, and what is said when nothing is new."""

import asyncio
import json
from typing import Any

import polars as pl
import pytest

from api.engine.diff import Difference
from api.engine.hub.reader import HubCommit
from api.http.errors import TooManyStreams
from api.stream import subscribers
from api.stream.changes import CommitChange, Interest
from api.stream.feed import MOST_LISTENERS, MOST_OF_ONE, QUEUED, Feed
from datahub_assets.datasets.candles.spec import OHLC
from tests.api.workers import NOW_MS, candles


def change(*, rows: int = 1, name: str = "BTCUSDT") -> CommitChange:
    added = candles((name,), count=rows)
    none = added.clear()
    commit = HubCommit("a" * 40, NOW_MS, "")
    return CommitChange(OHLC, commit, HubCommit("b" * 40, NOW_MS, ""), Difference(added, none, none, none))


class Nothing:
    """An engine without datasets."""

    def __init__(self) -> None:
        self.datasets: dict[str, Any] = {}


def test_a_follower_that_falls_behind_is_let_go_and_others_are_not() -> None:
    async def run() -> None:
        feed = Feed(Nothing())  # type: ignore[arg-type]
        with feed.listening(Interest(("ohlc",))) as slow, feed.listening(Interest(("ohlc",))) as quick:
            for _ in range(QUEUED + 1):
                feed._publish(change())
                assert quick.queue.get_nowait() is not None
            assert slow.queue.get_nowait() is None
            assert slow.queue.empty(), "what waited for it is gone"
            feed._publish(change())
            assert slow.queue.empty()
            assert not quick.queue.empty()

    asyncio.run(run())


def test_there_is_room_for_so_many_only() -> None:
    feed = Feed(Nothing())  # type: ignore[arg-type]
    places = [feed.place(f"account{number // MOST_OF_ONE}") for number in range(MOST_LISTENERS)]
    for one in places:
        one.__enter__()
    with pytest.raises(TooManyStreams, match=f"{MOST_LISTENERS} clients"), feed.place("another"):
        pass
    places[0].__exit__(None, None, None)
    with feed.place("another"):
        pass


def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribers, "HEARTBEAT_S", 0.01)

    async def run() -> list[bytes]:
        stream = subscribers.events_for(Feed(Nothing()), Interest(("ohlc",)), since={})  # type: ignore[arg-type]
        said = [await anext(stream) for _ in range(3)]
        await stream.aclose()  # type: ignore[attr-defined]
        return said

    first, *beats = asyncio.run(run())
    assert first.startswith(b"retry: ")
    assert all(beat.startswith(b": ") and beat.endswith(b"\n\n") for beat in beats)


def test_too_much_to_say_is_said() -> None:
    untold = CommitChange(OHLC, HubCommit("a" * 40, 0, ""), HubCommit("b" * 40, 0, ""), None)
    text = untold.text(Interest(("ohlc",), ("BTCUSDT",)))
    assert text is not None
    assert json.loads(text) == {"dataset": "ohlc", "revision": "b" * 40, "reason": "too much changed to say what"}


def test_an_interest_keeps_rows_before_and_after_together() -> None:
    before, after = candles(("AUSDT", "BUSDT"), count=2), candles(("AUSDT", "BUSDT"), count=2, seed=1)
    found = Interest(("ohlc",), ("BUSDT",)).of(OHLC, Difference(after.clear(), after, before, after))
    assert set(found.before["symbol"]) == set(found.after["symbol"]) == set(found.removed["symbol"]) == {"BUSDT"}
    assert found.before.select("timestamp").equals(found.after.select("timestamp"))
    assert found.after["close"].to_list() == after.filter(pl.col("symbol") == "BUSDT")["close"].to_list()
