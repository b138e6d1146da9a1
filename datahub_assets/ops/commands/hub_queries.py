"""What commands ask the Hub: each question is bounded to seconds, then the Hub counts as silent."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import CacheError, HubError, HubNotFound, HubRateLimited, HubUnavailable
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.account import hub_of, hub_without_cache
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.history import commit_count

T = TypeVar("T")
ANSWER_LIMIT_S: Final = 4.0
COUNT_LIMIT_S: Final = 20.0
"""Counting reads a whole history, once: publishing keeps the count up to date afterwards."""


def within(limit_s: float, call: Callable[[], T], *, silent: str) -> T:
    """What the call returns or raises. One that takes too long is left alone, to end with this process.

    Raises:
        HubUnavailable: with the message `silent`: it took too long.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    if not done:
        raise HubUnavailable(silent)
    return done[0]


def first_reply(settings: Settings, hub: Callable[[], Hub], *, limit_s: float = ANSWER_LIMIT_S) -> None:
    """Have the Hub answer anything, be it that it has no such dataset or is asked too often.

    Args:
        hub: gives the Hub to ask; may ask it whose datasets are meant.

    Raises:
        HubUnavailable: no answer in time.        HubRefused: it does not accept the token.
    """
    advice = ": the embedded one runs while `datahub up` does" if settings.embedded_hub else ""
    silent = f"the Hub {settings.hub_endpoint} does not answer{advice}"
    try:
        within(limit_s, lambda: hub().head(next(iter(DATASETS.values()))), silent=silent)
    except (HubNotFound, HubRateLimited):
        return
    except HubUnavailable as error:
        raise HubUnavailable(silent) from error


def commit_counts(settings: Settings) -> dict[str, int]:
    """Commits of each dataset that the cache knows on the Hub, by name.

    Raises:
        HubError: the Hub could not be asked, or not in time.        CacheError: the cache cannot be read.
    """

    def count() -> dict[str, int]:
        with Cache.open(settings.cache_path) as cache:
            hub = hub_of(settings, cache)
            published = [spec for spec in DATASETS.values() if cache.repo(spec).load() is not None]
            return {spec.name: commit_count(spec, cache=cache, hub=hub) for spec in published}

    return within(COUNT_LIMIT_S, count, silent=f"the Hub {settings.hub_endpoint} takes too long to count commits")


def hub_of_settings(settings: Settings) -> Hub:
    """The Hub, with whose datasets are meant from the cache where there is one."""
    try:
        return remembered(settings) if settings.cache_path.is_file() else hub_without_cache(settings)
    except (CacheError, HubError):
        return hub_without_cache(settings)


def remembered(settings: Settings) -> Hub:
    """The Hub, with whose datasets are meant from the cache if that is known there."""
    with Cache.open(settings.cache_path) as cache:
        return hub_of(settings, cache)


class HubAsked:
    """The Hub, asked once whether it answers: if it hangs, not every check waits for it. `hub`: it, unasked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.hub = hub_without_cache(settings)
        self._problem: HubError | None = None
        self._answers = False

    def at_hand(self) -> Hub:
        """The Hub, if it answers.

        Raises:
            HubError: it does not, now or when it was asked before.
        """
        if self._problem is not None:
            raise self._problem
        if not self._answers:
            try:
                first_reply(self._settings, lambda: self.hub)
            except HubError as error:
                self._problem = error
                raise
            self._answers = True
        return self.hub
