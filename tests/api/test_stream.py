"""New commits reach those who follow: over HTTP from a served process, and part by part where time or load matters."""

import asyncio
import json
import queue
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import polars as pl
import pytest
import uvicorn

from api import followers
from api.changes import Change, Interest
from api.engine.diff import Difference
from api.engine.hub import Commit
from api.errors import TooManyStreams
from api.eventstream import EventStream, event
from api.stream import MOST_LISTENERS, MOST_OF_ONE, QUEUED, Feed
from datahub_assets.domain.datasets import MARKET, OHLC
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.test_process import free_port, process, serving_process
from tests.api.workers import NOW_MS, Workers, candles, prices

WAIT_S = 20.0


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Any


class Follower:
    """A client that follows, in a thread; `next` waits for an event."""

    def __init__(self, url: str, token: str, *, since: str | None = None, **params: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": since} if since else {})
        self.status = 0
        self.headers: httpx.Headers | None = None
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._client = httpx.Client(timeout=WAIT_S)
        self._answer = self._client.send(
            self._client.build_request("GET", f"{url}/api/hub/stream", params=params, headers=headers), stream=True
        )
        self.status, self.headers = self._answer.status_code, self._answer.headers
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "event" in fields:
                    self._events.put(Event(fields["event"], fields["id"], json.loads(fields["data"])))
                    fields = {}
        except (httpx.HTTPError, httpx.StreamClosed):
            pass
        self._events.put(None)

    def next(self) -> Event:
        found = self._events.get(timeout=WAIT_S)
        assert found is not None, "the stream ended"
        return found

    def ended(self) -> bool:
        return self._events.get(timeout=WAIT_S) is None

    def close(self) -> None:
        # The connection stays open as long as the thread waits for more, whoever closes it.
        with suppress(OSError):
            self._answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._answer.close()
        self._client.close()


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home"), DATAHUB_POLL_S="0.2") as address:
        yield address


@contextmanager
def following(
    url: str, hub: HubServer, *, since: str | None = None, token: str | None = None, **params: str
) -> Iterator[tuple[Follower, Event]]:
    """A follower, and the `ready` it began with."""
    follower = Follower(url, token or hub.token, since=since, **params)
    try:
        ready = follower.next()
        assert ready.name == "ready"
        yield follower, ready
    finally:
        follower.close()


def served(url: str, hub: HubServer, dataset: str) -> str:
    answer = httpx.get(
        f"{url}/api/hub/{dataset}",
        params={"limit": 1} | ({"symbol": "BTCUSDT"} if dataset == "ohlc" else {}),
        headers={"Authorization": f"Bearer {hub.token}"},
    )
    return answer.headers["x-revision"]


def test_a_commit_reaches_who_follows_with_the_rows_it_changed(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub) as (follower, ready):
        assert follower.headers is not None
        assert follower.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in follower.headers
        assert ready.id == f"market@{ready.data['market']},ohlc@{ready.data['ohlc']}"
        coins = (("bitcoin", "BTC", 1.9e12),)
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000, coins=coins))
        told = follower.next()
        assert (told.name, told.data["dataset"]) == ("commit", "market")
        assert told.data["to"]["revision"] == sha
        assert told.id == f"market@{sha},ohlc@{ready.data['ohlc']}"
        assert told.data["counts"] == {"added": 1, "changed": 0, "removed": 0}
        assert [(row["coin_id"], row["price"]) for row in told.data["added"]] == [("bitcoin", 1.9e6)]
        sha = workers.publish(OHLC, candles(("ETHUSDT",), count=1, seed=1))
        told = follower.next()
        assert told.id.endswith(f",ohlc@{sha}")
        assert [change["after"]["symbol"] for change in told.data["changed"]] == ["ETHUSDT"]
        answer = httpx.get(
            f"{url}/api/hub/diff",
            params={"dataset": "ohlc", "from": told.data["from"]["revision"], "to": sha},
            headers={"Authorization": f"Bearer {hub.token}"},
        )
        assert told.data == answer.json()


def test_only_what_is_of_interest_is_told(url: str, hub: HubServer, workers: Workers) -> None:
    with (
        following(url, hub, dataset="ohlc", symbol="btcusdt", interval="4h") as (pair, ready),
        following(url, hub, symbol="ethereum") as (coin, _),
    ):
        assert ready.id == ready.data["ohlc"]
        workers.publish(OHLC, candles(("BTCUSDT", "ETHUSDT"), interval="1h", count=1, seed=2))
        workers.publish(OHLC, candles(("ETHUSDT",), interval="4h", count=1, seed=2))
        workers.publish(
            MARKET, prices(at_ms=NOW_MS + 120_000, coins=(("bitcoin", "BTC", 1.7e12), ("ethereum", "ETH", 5e11)))
        )
        last = workers.publish(OHLC, candles(("BTCUSDT", "ETHUSDT"), interval="4h", count=1, seed=3))
        told = pair.next()
        assert told.id == told.data["to"]["revision"] == last
        assert [change["after"]["symbol"] for change in told.data["changed"]] == ["BTCUSDT"]
        assert [change["before"]["symbol"] for change in told.data["changed"]] == ["BTCUSDT"]
        told = coin.next()
        assert [row["coin_id"] for row in told.data["added"]] == ["ethereum"]
        assert told.data["counts"]["added"] == 1


@pytest.mark.parametrize("query", ["dataset=ohlc,market", "dataset=ohlc&dataset=market", "dataset="])
def test_datasets_are_a_list_like_any_other(url: str, hub: HubServer, query: str) -> None:
    address = f"{url}/api/hub/stream?{query}"
    with httpx.stream("GET", address, headers={"Authorization": f"Bearer {hub.token}"}) as answer:
        assert answer.status_code == 200
        first = next(answer.iter_text())
    assert f"id: market@{served(url, hub, 'market')},ohlc@{served(url, hub, 'ohlc')}\n" in first


def test_a_follower_goes_on_where_it_was(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub) as (_, ready):
        since = ready.id
    shas = [workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=seed)) for seed in (5, 6, 7)]
    until(lambda: served(url, hub, "ohlc") == shas[-1])
    with following(url, hub, since=since) as (follower, ready):
        assert ready.id == since
        told = [follower.next() for _ in shas]
        assert [found.data["to"]["revision"] for found in told] == shas
        later = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=8))
        assert follower.next().data["to"]["revision"] == later
    with following(url, hub, since=shas[1], dataset="ohlc") as (follower, _):
        assert [follower.next().id for _ in range(2)] == [shas[2], later]
    with following(url, hub, since=shas[2]) as (follower, _):
        told_one = follower.next()
        assert told_one.data["to"]["revision"] == later
        assert told_one.id.startswith("market@")


def test_followers_see_every_commit_once_however_fast_they_come(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub, dataset="ohlc") as (follower, ready):
        at = ready.id
        for seed in range(10, 20):
            last = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=seed))
        seen = 0
        while at != last:
            told = follower.next()
            assert told.data["from"]["revision"] == at, "told of commits in their order, without a hole"
            at = told.id
            seen += 1
        assert seen == 10


def test_an_unknown_commit_means_a_new_start(url: str, hub: HubServer) -> None:
    with following(url, hub, since="0" * 40, dataset="market") as (follower, _):
        told = follower.next()
        assert (told.name, told.data["dataset"]) == ("restart", "market")
        assert told.id == told.data["revision"] == served(url, hub, "market")


@pytest.mark.parametrize(
    ("params", "since", "expected"),
    [
        ({"dataset": "news"}, None, (404, "unknown_dataset")),
        ({"symbol": "BTCUSDX"}, None, (404, "unknown_symbol")),
        ({"dataset": "ohlc", "symbol": "bitcoin"}, None, (404, "unknown_symbol")),
        ({"interval": "9h"}, None, (404, "unknown_interval")),
        ({"sybmol": "BTC"}, None, (400, "unknown_parameter")),
        ({}, "yesterday", (400, "invalid_parameter")),
        ({}, "market@123,ohlc@456", (400, "invalid_parameter")),
    ],
)
def test_what_cannot_be_followed_is_said(
    url: str, hub: HubServer, params: dict[str, str], since: str | None, expected: tuple[int, str]
) -> None:
    headers = {"Authorization": f"Bearer {hub.token}"} | ({"Last-Event-ID": since} if since else {})
    answer = httpx.get(f"{url}/api/hub/stream", params=params, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == expected


def test_following_wants_a_token(url: str) -> None:
    assert httpx.get(f"{url}/api/hub/stream").status_code == 401


def test_a_server_that_stops_ends_its_streams(hub: HubServer, seeded: Workers, tmp_path: Any) -> None:
    port = free_port()
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    with process(environ, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _is_following(url, hub), timeout_s=60)
        with following(url, hub) as (follower, _):
            started.send_signal(signal.SIGTERM)
            assert follower.ended()
            said, _ = started.communicate(timeout=10)
    assert started.returncode == 0
    assert "refused to gracefully stop" not in said


def _is_following(url: str, hub: HubServer) -> bool:
    try:
        with httpx.stream("GET", f"{url}/api/hub/stream", headers={"Authorization": f"Bearer {hub.token}"}) as answer:
            first = next(answer.iter_text())
            return "market" in first.partition("data: ")[2] and "ohlc" in first
    except (httpx.TransportError, StopIteration):
        return False


# Part by part: a feed over an engine that has nothing, and a client that takes nothing.


def change(*, rows: int = 1, name: str = "BTCUSDT") -> Change:
    added = candles((name,), count=rows)
    none = added.clear()
    commit = Commit("a" * 40, NOW_MS, "")
    return Change(OHLC, commit, Commit("b" * 40, NOW_MS, ""), Difference(added, none, none, none))


class Nothing:
    """An engine without datasets."""

    def __init__(self) -> None:
        self.datasets: dict[str, Any] = {}


def test_a_follower_that_falls_behind_is_let_go_and_others_are_not() -> None:
    async def run() -> None:
        feed = Feed(Nothing())  # type: ignore[arg-type]
        with feed.listening(Interest(("ohlc",))) as slow, feed.listening(Interest(("ohlc",))) as quick:
            for _ in range(QUEUED + 1):
                feed._tell(change())
                assert quick.queue.get_nowait() is not None
            assert slow.queue.get_nowait() is None
            assert slow.queue.empty(), "what waited for it is gone"
            feed._tell(change())
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


def test_one_account_does_not_take_all_streams(url: str, hub: HubServer) -> None:
    address, headers = f"{url}/api/hub/stream", {"Authorization": f"Bearer {hub.token}"}
    with ExitStack() as opened:
        for _ in range(MOST_OF_ONE):
            assert opened.enter_context(httpx.stream("GET", address, headers=headers)).status_code == 200
        answer = httpx.get(address, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
        assert f"{MOST_OF_ONE} streams" in answer.json()["detail"]
        with following(url, hub, token=hub.add_user("dora", role="read")):
            pass
    until(lambda: _is_following(url, hub))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_client_that_takes_nothing_is_hung_up_on() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        if len(sent) == 2:
            await asyncio.Event().wait()  # its buffers are full, for ever
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def run() -> None:
        await asyncio.wait_for(EventStream(chunks(b"1", b"2", b"3"), patience_s=0.05)({}, receive, send), WAIT_S)  # type: ignore[arg-type]

    asyncio.run(run())
    assert [message.get("body") for message in sent] == [None, b"1"]


def test_a_large_event_goes_out_in_pieces() -> None:
    """So that a server never holds more than a piece for a client that does not read."""
    sent: list[Any] = []
    large = event("commit", b"x" * 1_000_000, event_id="1")

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    asyncio.run(EventStream(chunks(large, b"2"), patience_s=WAIT_S)({}, receive, send))  # type: ignore[arg-type]
    bodies = [message["body"] for message in sent[1:]]
    assert b"".join(bodies) == large + b"2"
    assert max(map(len, bodies)) <= 64 * 1024


def test_a_client_that_does_not_read_fills_a_socket_and_no_more() -> None:
    """Over real sockets: what is not read stays with the kernel, and the sender notices."""
    ended = threading.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield event("commit", b'"' + b"x" * 1_000_000 + b'"', event_id="1")
        finally:
            ended.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await EventStream(endless(), patience_s=0.3)(scope, receive, send)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert ended.wait(WAIT_S)
        server.should_exit = True
        thread.join(WAIT_S)


def test_an_error_while_sending_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"1"
        raise LookupError("what went wrong")

    async def run() -> None:
        async def send(_: Any) -> None:
            pass

        async def receive() -> Any:
            await asyncio.Event().wait()

        await EventStream(broken(), patience_s=1)({}, receive, send)  # type: ignore[arg-type]

    with pytest.raises(LookupError):
        asyncio.run(run())


def test_a_client_that_leaves_ends_its_stream() -> None:
    left = False

    async def waiting() -> AsyncIterator[bytes]:
        nonlocal left
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            left = True

    async def run() -> None:
        async def send(_: Any) -> None:
            pass

        messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            await asyncio.sleep(0)
            return next(messages)

        await asyncio.wait_for(EventStream(waiting(), patience_s=1)({}, receive, send), WAIT_S)  # type: ignore[arg-type]

    asyncio.run(run())
    assert left


@pytest.mark.parametrize("turns", range(6))
def test_a_client_that_leaves_while_it_is_sent_to_ends_its_stream(turns: int) -> None:
    """However many turns of the event loop lie between the two."""
    gone = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            gone.set()
            for _ in range(turns):
                await asyncio.sleep(0)

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        await asyncio.wait_for(EventStream(waiting(), patience_s=10)({}, receive, send), 2)  # type: ignore[arg-type]

    asyncio.run(run())


def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "HEARTBEAT_S", 0.01)

    async def run() -> list[bytes]:
        stream = followers.told(Feed(Nothing()), Interest(("ohlc",)), since={})  # type: ignore[arg-type]
        said = [await anext(stream) for _ in range(3)]
        await stream.aclose()  # type: ignore[attr-defined]
        return said

    first, *beats = asyncio.run(run())
    assert first.startswith(b"retry: ")
    assert all(beat.startswith(b": ") and beat.endswith(b"\n\n") for beat in beats)


def test_too_much_to_say_is_said() -> None:
    untold = Change(OHLC, Commit("a" * 40, 0, ""), Commit("b" * 40, 0, ""), None)
    text = untold.text(Interest(("ohlc",), ("BTCUSDT",)))
    assert text is not None
    assert json.loads(text) == {"dataset": "ohlc", "revision": "b" * 40, "reason": "too much changed to say what"}


def test_an_interest_keeps_rows_before_and_after_together() -> None:
    before, after = candles(("AUSDT", "BUSDT"), count=2), candles(("AUSDT", "BUSDT"), count=2, seed=1)
    found = Interest(("ohlc",), ("BUSDT",)).of(OHLC, Difference(after.clear(), after, before, after))
    assert set(found.before["symbol"]) == set(found.after["symbol"]) == set(found.removed["symbol"]) == {"BUSDT"}
    assert found.before.select("timestamp").equals(found.after.select("timestamp"))
    assert found.after["close"].to_list() == after.filter(pl.col("symbol") == "BUSDT")["close"].to_list()
