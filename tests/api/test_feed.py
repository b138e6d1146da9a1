"""How changes are told, part by part: who is told what, how many may listen, and what is said when nothing is new."""

import asyncio
import json
from typing import Any

import polars as pl
import pytest

from api.engine.hub.reader import HubCommit
from api.history.differences import Difference
from api.history.narrowing import Narrowing
from api.http.errors import TooManyStreams
from api.stream import subscribers
from api.stream.changes import CommitChange, Interest
from api.stream.feed import MOST_LISTENERS, MOST_OF_ONE, QUEUED, Feed
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.workers import NOW_MS, candles, prices


def change(*, rows: int = 1, name: str = "BTCUSDT") -> CommitChange:
    added = candles((name,), count=rows)
    none = added.clear()
    commit = HubCommit("a" * 40, NOW_MS, "")
    return CommitChange(OHLC, commit, HubCommit("b" * 40, NOW_MS, ""), Difference(added, none, none, none))


def by(**given: str) -> Narrowing:
    return Narrowing(tuple((name, tuple(values.split(","))) for name, values in given.items()))


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
    text = untold.text(Interest(("ohlc",), by(symbol="BTCUSDT")))
    assert text is not None
    assert json.loads(text) == {"dataset": "ohlc", "revision": "b" * 40, "reason": "too much changed to say what"}


def test_an_interest_keeps_rows_before_and_after_together() -> None:
    before, after = candles(("AUSDT", "BUSDT"), count=2), candles(("AUSDT", "BUSDT"), count=2, seed=1)
    found = Interest(("ohlc",), by(symbol="busdt")).of(OHLC, Difference(after.clear(), after, before, after))
    assert set(found.before["symbol"]) == set(found.after["symbol"]) == set(found.removed["symbol"]) == {"BUSDT"}
    assert found.before.select("timestamp").equals(found.after.select("timestamp"))
    assert found.after["close"].to_list() == after.filter(pl.col("symbol") == "BUSDT")["close"].to_list()


RECEIVED = pl.concat([receipts("north", 4), receipts("south", 3)])
ROWS = {"incidents": incidents(6), "receipts": RECEIVED, "market": prices(), "ohlc": candles(count=3)}


@pytest.mark.parametrize(
    ("spec", "narrowing", "kept"),
    [
        (INCIDENTS, by(severity="MAJOR"), ["inc-000000", "inc-000003"]),
        (INCIDENTS, by(service="wallet"), ["inc-000000", "inc-000003"]),
        (INCIDENTS, by(severity="minor,major", service="wallet"), ["inc-000000", "inc-000003"]),
        (INCIDENTS, by(severity="minor", service="wallet"), []),
        (RECEIPTS, by(register="south"), [100_000, 100_001, 100_002]),
        (RECEIPTS, by(symbol="South"), [100_000, 100_001, 100_002]),
        (RECEIPTS, by(register="south", settled_only="true"), [100_000, 100_001]),
        (RECEIPTS, by(number="100001,100003"), [100_001, 100_003, 100_001]),
        (MARKET, by(symbol="btc,tether"), ["bitcoin", "tether", "batcat"]),
        (MARKET, by(coin_ids="ethereum"), ["ethereum"]),
        (OHLC, by(symbol="ETHUSDT", closed_only="true"), ["ETHUSDT", "ETHUSDT"]),
        (OHLC, by(interval="4h"), []),
    ],
)
def test_filters_of_any_dataset_narrow_it_down(spec: DatasetSpec, narrowing: Narrowing, kept: list[object]) -> None:
    rows = ROWS[spec.name]
    none = rows.clear()
    found = Interest((spec.name,), narrowing).of(spec, Difference(rows, none, rows, rows))
    name = spec.key[-1] if spec is not MARKET and spec is not OHLC else spec.key[0]
    assert found.added[name].to_list() == found.before[name].to_list() == found.after[name].to_list() == kept
    assert found.removed.is_empty()


def test_of_datasets_without_such_a_filter_everything_is_told() -> None:
    rows = incidents(6)
    difference = Difference(rows, rows.clear(), rows, rows)
    assert Interest(("incidents",), by(interval="4h", coin_ids="bitcoin")).of(INCIDENTS, difference) is difference
