"""How long a Hub may be silent or slow before a publish gives it up, so that nobody waits longer than bounded."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import (
    HubError,
    HubUnavailable,
)
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores.hub import http
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import retries
from localhub.faults import FOREVER
from localhub.testing import HubServer
from tests.stores.world import START_MS, Site, assert_settled, candles


@pytest.mark.parametrize("where", ["/commit/", "/preupload/", "PUT /lfs/", "GET /api/datasets/"])
def test_a_hub_that_does_not_answer_is_given_up(
    site: Site, server: HubServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    site.store(OHLC, candles(START_MS), now_ms=START_MS)
    monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 0.3)
    server.faults.slow(0.8, on=where, times=FOREVER)
    began = time.monotonic()
    with pytest.raises(HubUnavailable, match="Timeout"):
        site.publish(OHLC, now_ms=START_MS)
    assert time.monotonic() - began < 10
    server.faults.clear()
    monkeypatch.undo()
    site.publish(OHLC, now_ms=START_MS + MINUTE_MS)
    assert_settled(OHLC, site, candles(START_MS))


def test_one_silence_ends_a_publish_however_much_there_is_to_upload(
    site: Site, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = candles(START_MS, back=24 * 500, pairs=1, intervals=["1h"])  # a file a month
    site.store(OHLC, rows, now_ms=START_MS)
    monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 0.5)
    monkeypatch.setattr(retries, "PROMPT_S", 0.1)
    server.faults.slow(2, on="PUT /lfs/", times=FOREVER)
    server.faults.seen.clear()
    with pytest.raises(HubUnavailable, match="Timeout"):
        site.publish(OHLC, now_ms=START_MS)
    asked = [request for request in server.faults.seen if request.startswith("PUT /lfs/")]
    assert 1 <= len(asked) <= 8, "those that were on their way; none of the others, and no second attempt"
    assert site.slept_s == []


def test_a_slow_hub_that_does_answer_is_not_cut_off(
    site: Site, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = candles(START_MS, back=24 * 500, pairs=1, intervals=["1h"])
    site.store(OHLC, rows, now_ms=START_MS)
    monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 1.0)
    server.faults.slow(0.3, times=FOREVER)
    began = time.monotonic()
    assert site.publish(OHLC, now_ms=START_MS).commit is not None
    assert time.monotonic() - began > 1.0, "longer than the Hub may be silent"


def test_a_body_that_stops_coming_is_given_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a Hub that sends the beginning of a file and then nothing, to whoever comes again as well."""
    asked = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                asked.append(connection)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nPAR1")

    monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        stuck = Hub(f"http://127.0.0.1:{listener.getsockname()[1]}", None, "local")
        with pytest.raises(HubUnavailable, match="ReadTimeout"):
            stuck.read(OHLC, "data/1h/open.parquet", revision="main")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in asked:
        connection.close()
    assert len(asked) == 1


def ask_often(hub: Hub, *, deadline_s: float) -> None:
    with http.bounded(deadline_s=deadline_s):
        for _ in range(100):
            hub._api.whoami(cache=False)


def test_all_calls_together_have_a_deadline(server: HubServer, hub: Hub) -> None:
    server.faults.slow(0.2, times=FOREVER)
    began = time.monotonic()
    with pytest.raises(HubUnavailable):
        ask_often(hub, deadline_s=0.5)
    assert time.monotonic() - began < 2


def test_outside_of_our_calls_the_library_behaves_as_ever(server: HubServer, hub: Hub) -> None:
    server.faults.answer(503, error="for a moment", on="GET /api/whoami", times=1)
    with pytest.raises(Exception, match="503") as caught:
        hub._api.whoami(cache=False)
    assert not isinstance(caught.value, HubError)
