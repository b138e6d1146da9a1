"""Answers of several megabytes, sent in pieces as the caller takes them: a slow one costs no copy of its own."""

from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response, StreamingResponse

PIECE_BYTES = 256 * 1024
_JSON = "application/json"


def json_answer(parts: Sequence[bytes]) -> Response:
    """The parts, which together are JSON, one after the other."""
    size = sum(len(part) for part in parts)
    if size <= PIECE_BYTES:
        return Response(b"".join(parts), media_type=_JSON)
    return StreamingResponse(_pieces(parts), media_type=_JSON, headers={"Content-Length": str(size)})


async def _pieces(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        for start in range(0, len(part), PIECE_BYTES):
            yield part[start : start + PIECE_BYTES]
