"""All feeds at once, each asked only for what is new and left alone for a while when it fails: the asset's fetch."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import polars as pl

from datahub_assets.datasets.news.coin_names import CoinNames
from datahub_assets.datasets.news.feed_xml import FeedItem, items
from datahub_assets.datasets.news.rows import check_feed, told_before, told_now, with_coins
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceRateLimited, SourceUnavailable
from datahub_assets.domain.rows import Checked, Rejected, merge
from datahub_assets.domain.times import DAY_MS, MINUTE_MS, readable
from datahub_assets.sources.fetched import Fetched, report_failed, report_rejected
from datahub_assets.sources.http import Http, HttpReply

FEEDS_NOTE: Final = "feeds"
"""Note: what is known of each feed, by its URL."""
MOST_BYTES: Final = 5 << 20
"""The largest feed that is read; real ones have less than 1 MB."""
OLDEST_MS: Final = 365 * DAY_MS
"""An item that is older when it is first seen is no news. Those that are stored are kept for longer than that."""
_LONGEST_WAIT_MS: Final = 60 * MINUTE_MS
_LONGEST_ASKED_MS: Final = DAY_MS
_MOST_HOPS: Final = 3
_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_MOVED: Final = {301, 302, 303, 307, 308}

Clock = Callable[[], int]
Stored = Callable[[pl.DataFrame], pl.DataFrame]
"""Gives the stored rows that have the keys of a frame."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is known of a feed: what names the version read last, how often it failed since, and when to ask again."""

    etag: str | None = None
    modified: str | None = None
    failures: int = 0
    not_before_ms: int = 0
    error: str | None = None

    @classmethod
    def of(cls, note: object) -> "FeedState":
        """What was noted; nothing where the note is of another form."""
        try:
            return cls(**note) if isinstance(note, dict) else cls()
        except TypeError:
            return cls()

    def noted(self) -> dict[str, Any]:
        """The form of the note."""
        names = ("etag", "modified", "failures", "not_before_ms", "error")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def failed(self, error: SourceError, *, now_ms: int) -> "FeedState":
        """The feed failed once more: it is left alone for longer each time, or as long as it asks for."""
        wait_ms = min(MINUTE_MS << min(self.failures, 10), _LONGEST_WAIT_MS)
        if isinstance(error, SourceRateLimited) and error.retry_after_s is not None:
            wait_ms = min(max(wait_ms, round(1000 * error.retry_after_s)), _LONGEST_ASKED_MS)
        return FeedState(self.etag, self.modified, self.failures + 1, now_ms + wait_ms, str(error))


def fetch_news(
    settings: NewsSettings,
    *,
    known: object,
    stored: Stored,
    without_coins: pl.DataFrame,
    names: CoinNames,
    clock: Clock,
    log: logging.Logger,
) -> Fetched:
    """Ask every feed that may be asked; runs an event loop of its own.

    Args:
        settings: which feeds.
        known: the note `FEEDS_NOTE` of the fetch before.
        stored: what is stored of given items.
        without_coins: stored rows that name no coins yet, since none were known then.
        names: the coins that are known.
        clock: this machine's time, epoch milliseconds UTC.
        log: gets the lines a person follows.
    """
    states = {url: FeedState.of(known.get(url) if isinstance(known, dict) else None) for url in settings.feeds.values()}
    started, now_ms = time.perf_counter(), clock()
    reading = _Reading(states, clock)
    requests = asyncio.run(reading.all(settings.feeds, now_ms=now_ms))
    rows = merge(NEWS, reading.frames)
    before = stored(rows.select("news_id"))
    is_known = pl.col("news_id").is_in(before["news_id"].implode())
    rows = rows.filter(is_known | (NEWS.time_ms() >= now_ms - OLDEST_MS))
    rows = with_coins(told_before(rows, before), names)
    filled = with_coins(without_coins.join(rows, on="news_id", how="anti"), names)
    filled = told_now(filled.filter(pl.col("coins").is_not_null()), now_ms=now_ms)
    read = len(settings.feeds) - len(reading.failed)
    log.info("read %d of %d feeds, %d items", read, len(settings.feeds), rows.height)
    report_rejected(reading.rejected, log=log)
    failed: dict[tuple[str, ...], SourceError] = {(name,): error for name, error in reading.failed.items()}
    report_failed(failed, log=log)
    return Fetched(
        checked=Checked(merge(NEWS, [rows, filled]), tuple(reading.rejected)),
        requests=requests,
        elapsed_s=time.perf_counter() - started,
        failed=failed,
        notes={FEEDS_NOTE: {url: state.noted() for url, state in reading.states.items()}},
    )


@dataclass(slots=True)
class _Reading:
    """Feeds being read, and what came of them."""

    states: dict[str, FeedState]
    clock: Clock
    frames: list[pl.DataFrame] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    failed: dict[str, SourceError] = field(default_factory=dict)

    async def all(self, feeds: Mapping[str, str], *, now_ms: int) -> int:
        """Read all feeds that may be asked now; returns how many requests it took."""
        async with Http(most_bytes=MOST_BYTES) as http:
            async with asyncio.TaskGroup() as tasks:
                for name, url in feeds.items():
                    state = self.states[url]
                    if state.not_before_ms > now_ms:
                        until = f"it is asked again at {readable(state.not_before_ms)}"
                        self.failed[name] = SourceUnavailable(f"{state.error}; {until}")
                    else:
                        tasks.create_task(self._one(http, name, url))
            return http.requests

    async def _one(self, http: Http, name: str, url: str) -> None:
        state = self.states[url]
        try:
            reply = await ask_feed(http, url, state, now_ms=self.clock())
            found = [] if reply is None else await asyncio.to_thread(items, reply.content, host=reply.host)
        except SourceError as error:
            self.failed[name] = error
            self.states[url] = state.failed(error, now_ms=self.clock())
            return
        if reply is not None:
            self._take(found, name)
            state = FeedState(reply.headers.get("etag"), reply.headers.get("last-modified"))
        self.states[url] = FeedState(state.etag, state.modified)

    def _take(self, found: Iterable[FeedItem], name: str) -> None:
        checked = check_feed(list(found), source=name, now_ms=self.clock())
        self.frames.append(checked.frame)
        self.rejected.extend(checked.rejected)


async def ask_feed(http: Http, url: str, state: FeedState, *, now_ms: int) -> HttpReply | None:
    """The feed; None where it has nothing new. It may have moved to another address of the same host.

    Raises:
        SourceError: it did not answer with a feed.
    """
    headers = {"Accept": _ACCEPT}
    headers |= {"If-None-Match": state.etag} if state.etag else {}
    headers |= {"If-Modified-Since": state.modified} if state.modified else {}
    for _ in range(_MOST_HOPS):
        reply = await http.get(url, headers=headers)
        if reply.status == HTTPStatus.NOT_MODIFIED:
            return None
        if reply.status not in _MOVED:
            if refusal := reply.refusal(now_ms=now_ms):
                raise refusal
            return reply
        url = _moved(url, reply)
    raise SourceMalformed(f"{reply.host} sends from one address to another without an end")


def _moved(url: str, reply: HttpReply) -> str:
    """Where a feed is now, if that is the same publisher's."""
    before, target = urlsplit(url), urljoin(url, reply.headers.get("location", ""))
    after = urlsplit(target)
    same = (before.hostname or "").removeprefix("www.") == (after.hostname or "").removeprefix("www.")
    if not same or after.scheme not in {"https", before.scheme} or target == url:
        raise SourceMalformed(f"{reply.host} says the feed is at {target[:200]!r} now: name that in DATAHUB_NEWS_FEEDS")
    return target
