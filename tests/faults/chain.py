"""Runs the production chains in this process: the real Dagster jobs, or the bodies of the same assets alone.

Only waiting is taken out (`hurried`); nothing of the product is replaced.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.definitions import build
from datahub_assets.defs import chain, error_mapping
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.settings import Settings
from datahub_assets.sources import pauses
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance import hosts
from datahub_assets.sources.http import Http
from datahub_assets.stores.hub import http
from datahub_assets.stores.publish import retries
from tests.fakes import Clock
from tests.faults.subjects import SUBJECTS

_LOG = logging.getLogger("tests.faults")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a chain ended: without errors, or with these.

    Attributes:
        not_fetched: how many parts of what it asked for did not come, such as a series, a feed or a chain.
    """

    errors: tuple[str, ...] = ()
    not_fetched: int = 0

    @property
    def success(self) -> bool:
        return not self.errors

    @property
    def complete(self) -> bool:
        """Whether it has done all there was to do."""
        return self.success and not self.not_fetched


class Chains:
    """All chains over one home. Each run starts as a fresh process would: without memory of the last one."""

    def __init__(
        self, settings: Settings, clock: Callable[[], int], *, instance: dg.DagsterInstance | None = None
    ) -> None:
        self._instance = instance
        self._workshop = DataHubResource(settings, clock=clock)
        self._definitions = build(settings, self._workshop)

    def run_job(self, spec: DatasetSpec) -> Outcome:
        """The job a tick starts: assets, checks and retries by Dagster itself."""
        forget()
        job = self._definitions.resolve_job_def(chain.job_name(spec))
        result = job.execute_in_process(instance=self._instance, raise_on_error=False)
        return Outcome(tuple(str(event.message) for event in result.all_events if event.is_failure))

    def run_bodies(self, spec: DatasetSpec) -> Outcome:
        """The functions behind the chain's assets, one after the other: the same work without Dagster around it."""
        forget()
        resources = SimpleNamespace(**{KEY: self._workshop})
        not_fetched = 0
        try:
            for key in chain.keys(spec):
                context = SimpleNamespace(
                    resources=resources, log=_LOG, retry_number=error_mapping.MAX_RETRIES, asset_key=key
                )
                asset: Any = self._definitions.resolve_assets_def(key)
                told = asset.op.compute_fn.decorated_fn(context)
                not_fetched += told.metadata.get("failed_series", 0)
        except dg.Failure as error:
            return Outcome((str(error.description),))
        return Outcome(not_fetched=not_fetched)


def forget() -> None:
    """What a process remembers of its upstreams."""
    pauses.PAUSES._until_ms.clear()
    hosts._PREFERRED.clear()


def hurried(patch: pytest.MonkeyPatch, clock: Clock, *, silence_s: float = 8.0, request_s: float = 60.0) -> None:
    """Let waits pass at once, moving the clock by as much; bound what hangs by these seconds."""

    async def sleep(seconds: float) -> None:
        clock.advance(round(seconds * 1000))

    for client in (client for subject in SUBJECTS.values() for client in subject.clients):
        patch.setattr(client, "Backoff", partial(Backoff, sleep=sleep), raising=False)  # not all ask twice
        patch.setattr(client, "Http", partial(Http, silence_timeout_s=silence_s))
    patch.setattr(retries, "FIRST_PAUSE_S", 0.0)
    patch.setattr(error_mapping, "FIRST_WAIT_S", 0.0)
    patch.setattr(error_mapping, "LONGEST_WAIT_S", 0.1)  # a wish for a longer pause is left to the next tick
    patch.setattr(http, "REQUEST_TIMEOUT_S", request_s)
