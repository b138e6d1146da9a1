"""How the hub's data and the system are: what is served, how old it is, what the workers last said."""

import shutil
import time
from pathlib import Path
from typing import Final

import msgspec

from api.engine.dataset import Dataset
from api.engine.engine import Engine
from datahub_assets.domain.errors import DataHubError, HubError
from datahub_assets.domain.times import iso_short
from datahub_assets.domain.worker_status import FILE_NAME, UNREADABLE, Chain, WorkerStatus, decode
from datahub_assets.settings import Settings

_ON_THE_WAY_S: Final = 120
"""What rows may take from upstream until they are served, on top of the age their dataset's spec warns of."""
_LOOKS_MISSED: Final = 2
"""So many looks at the Hub may stay away before what is served is called stale: one may just take long."""
LEAST_SILENCE_S: Final = 5.0
_LITTLE_DISK_BYTES: Final = 1 << 30


class WorkersUnreadable(ValueError):
    """The workers' file is there and cannot be read."""


class DatasetHealth(msgspec.Struct, frozen=True):
    """How one dataset is."""

    status: str
    revision: str | None
    rows: int
    newest_row: str | None
    age_s: float | None
    """Age of the newest row; of the commit where rows are stamped with the begin of the time they cover."""
    hub_seen_age_s: float | None
    stale: bool
    """Whether the Hub could not be reached, or its commit not taken in, so that an older one may be served."""
    reasons: list[str]


class HubHealth(msgspec.Struct, frozen=True):
    """How the hub's data is."""

    status: str
    reasons: list[str]
    datasets: dict[str, DatasetHealth]


class Disk(msgspec.Struct, frozen=True):
    """Room on the disk that holds the hub's folder."""

    free_bytes: int
    total_bytes: int


class SystemHealth(msgspec.Struct, frozen=True):
    """How the whole system is: the data, the chains that bring it, the disk."""

    status: str
    reasons: list[str]
    datasets: dict[str, DatasetHealth]
    chains: dict[str, Chain]
    disk: Disk


def hub_health(engine: Engine, settings: Settings) -> HubHealth:
    """How the hub's data is; `unavailable` only when nothing at all can be served."""
    silent_s = max(_LOOKS_MISSED * settings.poll_s, LEAST_SILENCE_S)
    datasets = {
        name: _dataset_health(
            engine.datasets.get(name),
            silent_s=silent_s,
            unbound=engine.binding_error,
            collected=settings.collects(name),
        )
        for name in engine.specs
    }
    reasons = [f"{name}: {reason}" for name, health in datasets.items() for reason in health.reasons]
    if all(health.revision is None for health in datasets.values()):
        status = "unavailable"
    else:
        status = "degraded" if reasons else "ok"
    return HubHealth(status=status, reasons=reasons, datasets=datasets)


def system_health(engine: Engine, settings: Settings) -> SystemHealth:
    """How the system is."""
    hub = hub_health(engine, settings)
    reasons = list(hub.reasons)
    chains: dict[str, Chain] = {}
    try:
        workers = read_worker_status(settings.home)
    except WorkersUnreadable as error:
        reasons.append(f"workers: {error}")
    else:
        if workers is None:
            reasons.append("workers: no run yet")
        else:
            chains = workers.chains
    for name, chain in chains.items():
        if chain.last_error is not None:
            reasons.append(f"{name}: {chain.last_error.code}: {chain.last_error.message}")
        reasons += [f"{name}: {warning}" for warning in chain.warnings]
    usage = shutil.disk_usage(settings.home if settings.home.exists() else Path())
    if usage.free < _LITTLE_DISK_BYTES:
        reasons.append(f"disk: only {usage.free >> 20} MiB free")
    status = hub.status if hub.status == "unavailable" else "degraded" if reasons else "ok"
    disk = Disk(free_bytes=usage.free, total_bytes=usage.total)
    return SystemHealth(status=status, reasons=reasons, datasets=hub.datasets, chains=chains, disk=disk)


def read_worker_status(home: Path) -> WorkerStatus | None:
    """What the workers last said; None when they never did.

    Raises:
        WorkersUnreadable: the file says nothing that can be read.
    """
    try:
        return decode((home / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise WorkersUnreadable(f"{FILE_NAME} cannot be read: {type(error).__name__}") from error


def _dataset_health(
    dataset: Dataset | None, *, silent_s: float, unbound: DataHubError | None, collected: bool
) -> DatasetHealth:
    """How one dataset is. One that is not collected may be old, or not there at all."""
    if dataset is None or not dataset.is_ready:
        error = dataset.freshness.error if dataset is not None else unbound
        reason = "nothing was read from the Hub yet" + (f" ({_said(error)})" if error is not None else "")
        reasons = [reason] if collected else []
        return DatasetHealth("unavailable", None, 0, None, None, None, stale=True, reasons=reasons)
    snapshot, freshness, now_s = dataset.current, dataset.freshness, time.time()
    reasons = []
    seen_age_s = None if freshness.seen_at_s is None else now_s - freshness.seen_at_s
    stale = freshness.error is not None or seen_age_s is None or seen_age_s > silent_s
    if isinstance(freshness.error, HubError):
        reasons.append(f"the Hub is not to be read ({freshness.error.code}); serving commit {snapshot.sha}")
    elif freshness.error is not None:
        reasons.append(f"this machine cannot take in commits ({_said(freshness.error)}); serving commit {snapshot.sha}")
    elif stale:
        reasons.append(f"the Hub did not answer lately; serving commit {snapshot.sha}")
    age_s = None if snapshot.newest_ms is None else now_s - snapshot.newest_ms / 1000
    if snapshot.spec.stamped_at_begin and age_s is not None:
        age_s = now_s - snapshot.commit.at_ms / 1000
    if age_s is None:
        reasons.append("it has no rows")
    elif collected and age_s > snapshot.spec.stale_warn_ms / 1000 + _ON_THE_WAY_S:
        reasons.append(f"its data is {age_s:.0f} s old")
    return DatasetHealth(
        status="degraded" if reasons else "ok",
        revision=snapshot.sha,
        rows=snapshot.rows,
        newest_row=iso_short(snapshot.newest_ms),
        age_s=None if age_s is None else round(age_s, 1),
        hub_seen_age_s=None if seen_age_s is None else round(seen_age_s, 1),
        stale=stale,
        reasons=reasons,
    )


def _said(error: DataHubError) -> str:
    """An error as health tells it: the Hub's are told by their code alone, as their text may hold addresses."""
    return error.code if isinstance(error, HubError) else f"{error.code}: {error}"
