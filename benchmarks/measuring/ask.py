"""One request, one answer, read in full; load is made elsewhere, in `load`."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse

from benchmarks.measuring.load import Server


class Refused(Exception):
    """A server answered with another status than 200."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(server: Server, request: bytes, *, timeout_s: float = 120.0) -> Answer:
    """Send one request over a connection of its own.

    Raises:
        OSError: nobody listens, or the answer did not come in time.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as sock:
        sock.sendall(request)
        answer = HTTPResponse(sock)
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())


def body_of(server: Server, request: bytes) -> bytes:
    """The body of a 200 answer.

    Raises:
        Refused: the status is another.
    """
    answer = ask(server, request)
    if answer.status != 200:
        head, _, sent = request.partition(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0]  # the other lines hold the token
        raise Refused(f"{answer.status} {answer.body[:600]!r} to {line!r} {sent[:600]!r}")
    return answer.body


def status_of(server: Server, request: bytes) -> int:
    """The status of the answer, 0 when nobody answers."""
    try:
        return ask(server, request).status
    except OSError:
        return 0
