"""The messages of launcher and server: one JSON line each way over a Unix socket."""

import json
import os
import socket
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Launch:
    """Fork a child that does what `dagster api …` does with these arguments, for this run."""

    run_id: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End the child of this run: politely, and by force when it has not stopped after `grace_s` seconds."""

    run_id: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """Say whether a child of this run lives."""

    run_id: str


@dataclass(frozen=True, slots=True)
class LaunchReply:
    """The child's pid, or None when no child of that run lives.

    Attributes:
        since: when the server began (epoch s); of earlier servers no child lives.
    """

    pid: int | None
    since: float = 0.0


Request = Launch | Stop | Look
Message = Request | LaunchReply


def encode(message: Message) -> bytes:
    """One line."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line.

    Raises:
        ValueError: not a message of ours.
    """
    fields = json.loads(line)
    kind = fields.pop("kind", None)
    if kind == "Launch":
        return Launch(run_id=str(fields["run_id"]), arguments=tuple(map(str, fields["arguments"])))
    if kind == "Stop":
        return Stop(run_id=str(fields["run_id"]), grace_s=float(fields["grace_s"]))
    if kind == "Look":
        return Look(run_id=str(fields["run_id"]))
    if kind == "LaunchReply":
        return LaunchReply(pid=fields["pid"], since=float(fields["since"]))
    raise ValueError(f"unknown message {kind!r}")


def read_line(connection: socket.socket) -> bytes:
    """Bytes up to the first newline; fewer when the other end closes the connection, never more than 4 MiB."""
    received = b""
    while not received.endswith(b"\n") and len(received) < _MOST_BYTES:
        data = connection.recv(65_536)
        if not data:
            break
        received += data
    return received


def check_peer(connection: socket.socket) -> None:
    """See that the process at the other end is this user's or root's. What a launch asks for is executed.

    Raises:
        PermissionError: it is another user's.
    """
    if not hasattr(socket, "SO_PEERCRED"):  # Linux has it (unix(7)); elsewhere the socket's folder has to do
        return
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in {os.geteuid(), 0}:
        raise PermissionError(f"the other end of the warm server's socket belongs to uid {uid}")


def ask(path: Path, message: Request, *, timeout_s: float) -> LaunchReply:
    """Send one request to the server and return its reply.

    Raises:
        OSError: the server is not there or does not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        check_peer(connection)
        connection.sendall(encode(message))
        line = read_line(connection)
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the warm server closed the connection")
    reply = decode(line)
    if not isinstance(reply, LaunchReply):
        raise ConnectionAbortedError(f"the warm server said {reply!r}")
    return reply
