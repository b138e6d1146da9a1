"""Bounds on every HTTP call huggingface_hub makes for us: time-outs, a deadline, and errors at once instead of waits.

The library waits by itself, up to minutes and longer when told to (Retry-After), inside preupload and LFS calls. A tick
lasts a minute, so whether to wait is decided by our own callers, who get typed errors.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2
from huggingface_hub import errors as hf

from datahub_assets.domain.errors import HubError, HubNotFound, HubUnavailable
from datahub_assets.domain.hub_errors import error_of_status
from datahub_system.net.clients import via
from datahub_system.net.hub_sessions import HubSession, use_in_huggingface_hub

CONNECT_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_S: Final = 20.0
"""How long the Hub may be silent: neither answer nor take more of what is sent to it.

A tick that waits in vain has to end within its minute, so that the next one fetches. huggingface.co itself may take
60 s for a commit; one that lands after we gave up is found by the next publish.
"""


@dataclass(slots=True, eq=False)
class _Bounds:
    """Those of one `bounded` block: when it ends, how long the Hub may be silent, and what it was silent to."""

    deadline: float
    silence_s: float | None
    unanswered: str | None = None


_FOR_NOW: Final = frozenset({HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.TOO_MANY_REQUESTS})

# Uploads run in threads of the library, so the bounds belong to the process, not to the calling thread.
_blocks: list[_Bounds] = []
_lock = threading.Lock()


class _BoundedSession(HubSession):
    """The library's session; while a `bounded` block runs, its requests have bounds and fail with our errors."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send one request (and read its answer) within the bounds."""
        bounds = _widest()
        if bounds is None:
            return super().send(request, **options)
        what = f"{request.method} {request.url.copy_with(query=None)}"
        left_s = bounds.deadline - time.monotonic()
        if bounds.unanswered is not None or left_s <= 0:
            raise HubUnavailable(f"{bounds.unanswered or 'the Hub took too long'}; gave up before {what}")
        request_s = min(REQUEST_TIMEOUT_S if bounds.silence_s is None else bounds.silence_s, left_s)
        limits = httpx2.Timeout(request_s, connect=min(CONNECT_TIMEOUT_S, request_s))
        request.extensions = {**request.extensions, "timeout": limits.as_dict()}
        try:
            response = super().send(request, **options)
        except httpx2.TransportError as error:
            raise _unavailable(error, what=what, url=str(request.url)) from error
        if response.status_code in _FOR_NOW or response.is_server_error:
            response.close()
            raise _refused_for_now(response, what=what)
        if options.get("stream") and isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _DeadlineStream(response.stream, what=what, url=str(request.url))
        return response


class _DeadlineStream(httpx2.SyncByteStream):
    """The body of an answer, read piece by piece; one that stops coming is not waited for again."""

    def __init__(self, stream: httpx2.SyncByteStream, *, what: str, url: str) -> None:
        self._stream = stream
        self._what = what
        self._url = url

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except httpx2.TimeoutException as error:  # of other failures the library resumes by itself
            raise _unavailable(error, what=self._what, url=self._url) from error

    def close(self) -> None:
        """Done with it."""
        self._stream.close()


@contextmanager
def bounded(*, deadline_s: float, silence_s: float | None = None) -> Iterator[None]:
    """Calls of huggingface_hub in this block end by then, and its errors come out as the project's.

    The Hub may be silent for `silence_s` (`REQUEST_TIMEOUT_S` unless told otherwise); after that nothing more is asked
    in this block, however many uploads and retries the library still has in mind.

    Raises:
        HubUnavailable: no answer in time, no connection, 5xx.        HubRateLimited: 429.
        HubBusy: 409.        HubConflict: 412.        HubRefused: 400, 401, 403, 413.        HubNotFound: 404.
    """
    install()
    bounds = _Bounds(time.monotonic() + deadline_s, silence_s)
    with _lock:
        _blocks.append(bounds)
    try:
        yield
    except HubError:
        raise
    except (hf.RepositoryNotFoundError, hf.RevisionNotFoundError, hf.RemoteEntryNotFoundError) as error:
        raise HubNotFound(_first_line(error)) from error
    except hf.HfHubHTTPError as error:
        raise _of_status(error) from error
    except RuntimeError as error:
        if isinstance(error.__cause__, HubError | FileNotFoundError):  # the library wraps what goes wrong in an upload
            raise error.__cause__ from error
        raise
    except (httpx2.TransportError, hf.LocalEntryNotFoundError, ConnectionError) as error:
        raise HubUnavailable(f"{type(error).__name__}: {error}") from error
    finally:
        with _lock:
            _blocks.remove(bounds)


def _widest() -> _Bounds | None:
    """The block that lasts longest, None outside of all: which of several a request belongs to is not known."""
    with _lock:
        return max(_blocks, key=lambda bounds: bounds.deadline, default=None)


def _unavailable(error: httpx2.TransportError, *, what: str, url: str) -> HubUnavailable:
    """No answer. Where the Hub was silent, none of the blocks that run waits for it again."""
    told = f"{what}{via(url)}: {type(error).__name__} {error}".rstrip()
    if isinstance(error, httpx2.TimeoutException):
        with _lock:
            for bounds in _blocks:
                bounds.unanswered = bounds.unanswered or told
    return HubUnavailable(told)


_installed = threading.Event()


def install() -> None:
    """Hand the library our sessions, once: before its first call, so that no token takes a way that is not ours.

    Outside of `bounded` they wait as long as the library's own do.
    """
    if not _installed.is_set():
        use_in_huggingface_hub(_BoundedSession)
        _installed.set()


def _refused_for_now(response: httpx2.Response, *, what: str) -> HubError:
    """407, 429 and 5xx: it may work later."""
    status = f"HTTP {response.status_code} {response.headers.get('X-Error-Message', '')}".rstrip()
    message = f"{what}{via(str(response.url))}: {status}"
    return error_of_status(response.status_code, message, headers=response.headers)


def _of_status(error: hf.HfHubHTTPError) -> HubError:
    """The Hub's other refusals by status."""
    response = error.response
    message = _first_line(error)
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        asked = via(str(response.url))
        message += f" (is the token valid, and may it write here?{asked and f' Asked{asked}'})"
    return error_of_status(response.status_code, message, headers=response.headers)


def _first_line(error: Exception) -> str:
    """The library's messages span many lines; the first says what happened, the server's own words come last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if len(lines) < 2 else f"{lines[0]} {lines[-1]}"  # noqa: PLR2004 - first and last
