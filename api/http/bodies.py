"""Writes rows as the body of an answer, whole or chunk by chunk."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import polars as pl
from litestar.response import Stream

from api.encoders.text import BATCH_ROWS, numbers_as_text
from api.http.compression import coded, compressed, said_of
from api.http.negotiation import Form

STREAMED_ROWS: Final = 4 * BATCH_ROWS
"""More rows than this are better streamed, where the format is text."""
INLINE_ROWS: Final = 2_000
"""Up to this many rows are worked on in the event loop: a thread would cost more than it gains."""


async def body_of(frame: pl.DataFrame, form: Form) -> tuple[bytes, str]:
    """The whole body, and the content coding it is in ("" for none)."""
    return _whole(frame, form) if frame.height <= INLINE_ROWS else await asyncio.to_thread(_whole, frame, form)


def streamed(frame: pl.DataFrame, form: Form, headers: Mapping[str, str]) -> Stream:
    """Rows written while they are sent, so that a large answer takes no more memory than a batch of it."""
    chunks = compressed(_chunks(frame, form), form.coding)
    return Stream(_off_loop(chunks), headers={**headers, **said_of(form.coding)}, media_type=form.format.media_type)


def _whole(frame: pl.DataFrame, form: Form) -> tuple[bytes, str]:
    return coded(b"".join(_chunks(frame, form)), form.coding)


def _chunks(frame: pl.DataFrame, form: Form) -> Iterator[bytes]:
    return form.format.encode(numbers_as_text(frame) if form.numbers_as_text else frame)


async def _off_loop(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, each computed in a thread."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
