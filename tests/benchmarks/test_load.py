"""The load client counts what servers send, neither more nor less, however the bytes arrive."""

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.measuring.http1 import AnswerEnd
from benchmarks.measuring.load import Server, WrongAnswer, get, percentile, run

ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "empty": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nB;x=1\r\nhello world\r\n0\r\n\r\n",
    "data like the end": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_ends_with_its_last_byte(name: str, step: int) -> None:
    wire, end = ANSWERS[name], AnswerEnd()
    pieces = [wire[i : i + step] for i in range(0, len(wire), step)]
    assert [end.feed(memoryview(piece)) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert end.status == int(wire[9:12])


@pytest.mark.parametrize(
    "wire",
    [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["bytes after the end", "no end"],
)
def test_what_cannot_be_counted_is_an_error(wire: bytes) -> None:
    with pytest.raises(ValueError, match=r"after the end|neither a length nor chunks"):
        AnswerEnd().feed(memoryview(wire))


@pytest.fixture
def counting_server() -> Iterator[tuple[int, list[bytes]]]:
    """Answers every request with its path; the list has all requests it got."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock: socket.socket) -> None:
        with sock:
            while request := sock.recv(65536):
                asked.append(request)
                if b"/slow" in request:
                    threading.Event().wait(0.2)
                status = b"500 Oh" if b"/broken" in request else b"200 OK"
                sock.sendall(b"HTTP/1.1 " + status + b"\r\ncontent-length: 4\r\n\r\nbody")

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_the_client_counts_what_the_server_answered(counting_server: tuple[int, list[bytes]]) -> None:
    port, asked = counting_server
    server = Server(port, {"authorization": "Bearer t"})
    load = run(server, [get(server, "/a"), get(server, "/b", if_none_match='"x"')], connections=3, duration_s=0.2)
    assert len(asked) - 3 <= load.answers <= len(asked)  # one in flight per connection at the end is not counted
    assert load.per_s == pytest.approx(load.answers / 0.2)
    assert 0 < load.p50_ms <= load.p95_ms <= load.p99_ms
    assert {request.split(b" ")[1] for request in asked} == {b"/a", b"/b"}
    assert all(b"authorization: Bearer t\r\n" in request for request in asked)


def test_an_answer_slower_than_the_load_still_counts(counting_server: tuple[int, list[bytes]]) -> None:
    server = Server(counting_server[0], {})
    load = run(server, [get(server, "/slow")], connections=1, duration_s=0.05)
    assert load.answers == 1
    assert load.elapsed_s >= 0.2
    assert load.per_s == pytest.approx(1 / load.elapsed_s)


def test_a_wrong_status_ends_the_load(counting_server: tuple[int, list[bytes]]) -> None:
    server = Server(counting_server[0], {})
    with pytest.raises(WrongAnswer, match="expected 200, got 500"):
        run(server, [get(server, "/broken")], connections=1, duration_s=5)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.95, 10), (0.99, 10), (0.01, 1), (0.1, 1), (0.11, 2)])
def test_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(10, 0, -1)], share) == expected
