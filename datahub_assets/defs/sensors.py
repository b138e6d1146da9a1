"""One tick of a chain: start a run, or say why not."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain, runs, source_assets
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.times import SECOND_MS, iso_short
from datahub_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Tick:
    """What a sensor sees.

    Attributes:
        now_ms: the time, epoch ms.      tick_s: seconds between ticks.
        live: runs of the chain that go on.
        pause_until_ms: the upstream wants no request before this time.
    """

    now_ms: int
    tick_s: int
    live: Sequence[runs.LiveRun] = ()
    pause_until_ms: int = 0

    @property
    def bucket(self) -> str:
        """Start of the span of `tick_s` seconds this tick lies in: the minute, by default."""
        tick_ms = self.tick_s * SECOND_MS
        return iso_short(self.now_ms // tick_ms * tick_ms)

    def reason_to_skip(self) -> str | None:
        """Why no run starts now; None when one does."""
        if self.live:
            return "; ".join(run.told() for run in self.live)
        if self.pause_until_ms > self.now_ms:
            return f"upstream asked for a pause, {(self.pause_until_ms - self.now_ms) / 1000:.0f} s are left"
        return None


def run_key(spec: DatasetSpec, *, bucket: str, attempt: int) -> str:
    """Dagster never starts a run key twice, even if that run failed: so each attempt in a bucket has its own."""
    return f"{spec.name}:{bucket}:{attempt}"


def chain_sensor(spec: DatasetSpec, *, settings: Settings) -> dg.SensorDefinition:
    """The sensor of a chain, running from the start."""
    tick_s = settings.tick_of(spec)

    @dg.sensor(
        name=chain.sensor_name(spec),
        job_name=chain.job_name(spec),
        minimum_interval_seconds=tick_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={KEY},
        description=f"Every {tick_s} s: fetch, keep and publish {spec.title.lower()}.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        datahub: DataHubResource = context.resources.datahub
        tick = Tick(
            now_ms=datahub.clock(),
            tick_s=tick_s,
            live=runs.fail_orphans(context.instance, runs.unfinished(context.instance, spec)),
            pause_until_ms=source_assets.pause_until_ms(spec, datahub),
        )
        reason = tick.reason_to_skip()
        if reason is not None:
            return dg.SkipReason(reason)
        attempt = runs.count_of_bucket(context.instance, spec, bucket=tick.bucket)
        return dg.RunRequest(
            run_key=run_key(spec, bucket=tick.bucket, attempt=attempt), tags={runs.BUCKET_TAG: tick.bucket}
        )

    return sensor
