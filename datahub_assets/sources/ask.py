"""One question to an upstream: a JSON answer for an asset that needs no more, and whether it answers at all."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from datahub_assets.domain.errors import SourceMalformed, SourceUnavailable
from datahub_assets.domain.rows import Checked
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.clocks import CLOCKS
from datahub_assets.sources.fetched import Fetched
from datahub_assets.sources.http import USER_AGENT, Http
from datahub_assets.sources.pauses import PAUSES
from datahub_system.net import clients

_PROBE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """What was answered.

    Attributes:
        value: as decoded from JSON.        now_ms: when it came, epoch milliseconds UTC.
        requests, elapsed_s: what it took.
    """

    value: object
    now_ms: int
    requests: int
    elapsed_s: float

    def items(self) -> list[object]:
        """The value, which is a list.

        Raises:
            SourceMalformed: it is something else.
        """
        if not isinstance(self.value, list):
            raise SourceMalformed(f"the answer is no list but a {type(self.value).__name__}")
        return self.value

    def fetched(self, checked: Checked) -> Fetched:
        """What the asset is handed: these rows, made of the answer."""
        return Fetched(checked=checked, requests=self.requests, elapsed_s=self.elapsed_s)


def ask_json(
    url: str,
    *,
    clock: Callable[[], int],
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    not_before_ms: int = 0,
    backoff: Backoff | None = None,
) -> JsonAnswer:
    """Ask with one GET, again after a pause where that may help; runs an event loop of its own.

    Args:
        clock: this machine's time, epoch milliseconds UTC.
        not_before_ms: nothing is asked before this time.
        backoff: attempts and pauses.

    Raises:
        SourceError: there was no answer, or none in JSON.
    """
    PAUSES.check(urlsplit(url).netloc, not_before_ms=not_before_ms, now_ms=clock())
    started = time.perf_counter()

    async def asked() -> tuple[object, int]:
        async with Http() as http:

            async def once() -> object:
                reply = await http.get(url, params=params, headers=headers)
                if refusal := reply.refusal(now_ms=clock()):
                    raise refusal
                return reply.decoded()

            return await (backoff or Backoff()).run(once), http.requests

    value, requests = asyncio.run(asked())
    return JsonAnswer(value, now_ms=clock(), requests=requests, elapsed_s=time.perf_counter() - started)


def probe(url: str, *, headers: Mapping[str, str] | None = None) -> str:
    """Ask once, following redirects, and say how long that took; a failure names the proxy it went through.

    Raises:
        SourceUnavailable: there was no answer, or one that is not a 200.
    """
    try:
        answer = clients.get(
            url, headers={"User-Agent": USER_AGENT, **(headers or {})}, timeout=_PROBE_S, follow_redirects=True
        )
    except httpx.HTTPError as error:
        raise SourceUnavailable(f"{url}{clients.via(url)}: {type(error).__name__} {error}".rstrip()) from error
    CLOCKS.heard_headers(answer.url.netloc.decode(), answer.headers)
    if answer.status_code != HTTPStatus.OK:
        raise SourceUnavailable(f"{url}{clients.via(url)} answers HTTP {answer.status_code}")
    return f"{url} answers in {answer.elapsed.total_seconds():.2f} s"
