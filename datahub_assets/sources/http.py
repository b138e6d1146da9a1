"""HTTP in: one bounded request, its answer decoded, every failure a SourceError.

No message holds a header, as headers hold keys; nothing is logged.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx
import msgspec

from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.domain.times import utc_datetime
from datahub_assets.sources.clocks import CLOCKS
from datahub_system.net import clients

USER_AGENT: Final = "crypto-data-hub/0.1"
MOST_BYTES: Final = 64 << 20
"""The largest answer that is read; the largest one known to be right has about 10 MB."""
_CONNECT_TIMEOUT_S: Final = 5.0
_BANNED_UNTIL: Final = re.compile(r"banned until (\d{13})\b")
_EXCERPT_LIMIT: Final = 160


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer: where from (host and port), its status, headers (any case) and body."""

    host: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def decoded(self) -> object:
        """The body as JSON; NaN and Infinity are let in, so that one of them costs its row and not the whole answer.

        Raises:
            SourceMalformed: HTML, or JSON that ends early, or anything else that is not JSON.
        """
        try:
            return msgspec.json.decode(self.content)
        except (msgspec.MsgspecError, RecursionError):
            pass
        try:
            value: object = json.loads(self.content)
        except (ValueError, RecursionError):
            what = "HTML" if self.is_html() else "no valid JSON"
            raise SourceMalformed(f"{self.host} answered {what}: {self.excerpt()}") from None
        return value

    def excerpt(self) -> str:
        """The beginning of the body on one line."""
        shown = " ".join(self.content[: 4 * _EXCERPT_LIMIT].decode(errors="replace").split())
        return shown if len(shown) <= _EXCERPT_LIMIT else shown[: _EXCERPT_LIMIT - 1] + "…"

    def refusal(self, *, now_ms: int) -> SourceError | None:
        """The error this answer stands for by its status; None when it is a 200."""
        said = f"{self.host} answered {self.status}: {self.excerpt()}"
        match self.status:
            case HTTPStatus.OK:
                return None
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.IM_A_TEAPOT:  # 418: Binance's word for a ban
                return SourceRateLimited(said, retry_after_s=self._retry_after_s(now_ms=now_ms))
            case HTTPStatus.FORBIDDEN | HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
                return SourceBlocked(said)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return SourceUnavailable(said)
            case status if status >= HTTPStatus.BAD_REQUEST and not self.is_html():
                return SourceRejected(said)
        return SourceMalformed(said)  # a redirect, or a page for people: this is not the API speaking

    def is_html(self) -> bool:
        """Whether it is a page for people."""
        return self.content.lstrip()[:1] == b"<"

    def _retry_after_s(self, *, now_ms: int) -> float | None:
        """The pause asked for: the longer of the header (seconds or a date) and a `banned until` in the text."""
        pauses = []
        header = self.headers.get("retry-after", "").strip()
        if header.isdecimal():
            pauses.append(float(header))
        elif header:
            pauses.extend(_seconds_until(header, now_ms=now_ms))
        if banned := _BANNED_UNTIL.search(self.content[:1000].decode(errors="replace")):
            pauses.append((int(banned[1]) - now_ms) / 1000)
        return max(0.0, *pauses) if pauses else None


def _seconds_until(date: str, *, now_ms: int) -> list[float]:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return []
    return [(moment - utc_datetime(now_ms)).total_seconds()] if moment.tzinfo else []


class Http:
    """A client with a pool of at most `connections` kept-alive connections; use it inside `async with`.

    An answer may be silent for `silence_timeout_s`, take `answer_timeout_s` in all, and have `most_bytes`, unpacked.
    """

    def __init__(
        self,
        *,
        connections: int = 8,
        silence_timeout_s: float = 8.0,
        answer_timeout_s: float = 30.0,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._client = clients.async_client(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=httpx.Timeout(silence_timeout_s, connect=_CONNECT_TIMEOUT_S, pool=None),
        )
        self._answer_timeout_s = answer_timeout_s
        self._most_bytes = most_bytes
        self.requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
    ) -> HttpReply:
        """Ask once; any status is a reply. `most_bytes`: of this answer, where it is not what the client allows.

        Raises:
            SourceUnavailable: no connection, no answer in time, or the connection was closed before the answer.
            SourceMalformed: the connection was closed within the answer, or the answer is not HTTP, or too large.
        """
        request = self._client.build_request("GET", url, params=params, headers=headers)
        return await self._ask(request, most_bytes=most_bytes or self._most_bytes)

    async def post(self, url: str, value: object) -> HttpReply:
        """Send a value as JSON; any status is a reply. Raises as `get`."""
        return await self._ask(self._client.build_request("POST", url, json=value), most_bytes=self._most_bytes)

    async def _ask(self, request: httpx.Request, *, most_bytes: int) -> HttpReply:
        url, host = str(request.url), request.url.netloc.decode()
        self.requests += 1
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                answer = await self._client.send(request, stream=True)
                try:
                    content = await _content(answer, host=host, most_bytes=most_bytes)
                finally:
                    await answer.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            what = f"did not answer in time ({type(error).__name__})"
            raise SourceUnavailable(f"{host} {what}{clients.via(url)}") from error
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            if "without sending a response" in str(error):
                raise SourceUnavailable(f"{host} closed the connection without an answer") from error
            raise SourceMalformed(f"{host} broke off its answer: {error}") from error
        except httpx.HTTPError as error:
            what = f"cannot be reached{clients.via(url)} ({type(error).__name__}: {error})"
            raise SourceUnavailable(f"{host} {what}") from error
        CLOCKS.heard_headers(host, answer.headers)
        if answer.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise SourceUnavailable(f"{host} cannot be reached{clients.via(url)}: it asks for a user and a password")
        return HttpReply(host=host, status=answer.status_code, headers=answer.headers, content=content)


async def _content(answer: httpx.Response, *, host: str, most_bytes: int) -> bytes:
    """The body, unpacked, as long as it is within the bound."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > most_bytes:
            raise SourceMalformed(f"{host} answered more than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)
