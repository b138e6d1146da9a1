"""A worker that was taken over says what it likes; the server takes a well-formed answer or none."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest

from api.sql.sandbox import messages
from api.sql.sandbox.errors import SqlCrashed
from api.sql.sandbox.fork_client import ForkServerClient
from api.sql.sandbox.process import Request, WorkerProcess, WorkerReply
from api.sql.sandbox.snapshot import SqlSnapshot
from tests.api.sql.conftest import Loop

MAX_BYTES = 1 << 20
HEAD = {
    "ok": True,
    "resident": 1,
    "fatal": False,
    "columns": [["x", "VARCHAR"]],
    "tables": [],
    "repeatable": True,
    "elapsed_ms": 1.0,
}


def stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def beyond_its_end(length: int) -> bytes:
    """A text of eight letters whose offsets say that it is longer: who believes them reads the server's memory."""
    stream = bytearray(stream_of(pa.table({"x": ["A" * 8]})))
    place = stream.rfind(struct.pack("<ii", 0, 8))
    stream[place : place + 8] = struct.pack("<ii", 0, length)
    return bytes(stream)


GOOD = stream_of(pa.table({"x": ["A" * 8]}))


@contextmanager
def worker_that_says(said: bytes) -> Iterator[WorkerProcess]:
    """The server's end of a worker whose whole answer, to whatever is asked, is this."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        yield WorkerProcess(0, ours, ForkServerClient())


def answer_to(loop: Loop, said: bytes) -> WorkerReply:
    request = Request(sql="SELECT 1", params=[], snapshot=SqlSnapshot("none"), flat=False)
    with worker_that_says(said) as worker:
        reply: WorkerReply = loop.run(worker.run(request, max_bytes=MAX_BYTES))
        return reply


def with_head(stream: bytes, **changes: Any) -> bytes:
    return messages.pack(HEAD | {"bytes": len(stream)} | changes) + stream


def test_a_good_answer_is_taken(loop: Loop) -> None:
    assert answer_to(loop, with_head(GOOD)).table.to_pylist() == [{"x": "A" * 8}]


@pytest.mark.parametrize(
    "stream",
    [beyond_its_end(4_000), beyond_its_end(1 << 30), beyond_its_end(-1), GOOD[:-40], b"PK\x03\x04" * 20],
    ids=["a little beyond", "far beyond", "before its start", "cut off", "no Arrow"],
)
def test_a_stream_that_lies_about_itself_is_refused(loop: Loop, stream: bytes) -> None:
    with pytest.raises(messages.WireBroken, match="not an Arrow stream"):
        answer_to(loop, with_head(stream))


@pytest.mark.parametrize(
    "said",
    [
        with_head(GOOD, bytes=MAX_BYTES * 4),
        with_head(GOOD, bytes=-1),
        with_head(GOOD, bytes="many"),
        with_head(GOOD, columns=7),
        messages.pack({"ok": True}),
        messages.pack({"resident": [], "ok": True}),
        struct.pack("!I", messages.MAX_MESSAGE_BYTES + 1),
        struct.pack("!I", 4) + b"nope",
        struct.pack("!I", 2) + b"[]",
        struct.pack("!I", 100_000) + b"[" * 100_000,
        b"",
    ],
)
def test_what_is_no_answer_is_refused(loop: Loop, said: bytes) -> None:
    with pytest.raises(messages.WireBroken):
        answer_to(loop, said)


def test_an_error_nobody_knows_is_a_crash(loop: Loop) -> None:
    """Whatever a worker calls it: no name that it gives becomes code."""
    with pytest.raises(SqlCrashed):
        answer_to(loop, messages.pack({"ok": False, "resident": 1, "code": "__import__", "message": "os"}))
