"""The live checks of `datahub doctor`, each with its fix. A check removes what it made."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx

from datahub_assets.domain.errors import (
    CacheBusy,
    CacheError,
    CacheFull,
    CacheUnusable,
    DataHubError,
    HubError,
    HubNotFound,
    HubRefused,
)
from datahub_assets.domain.times import datetime_iso
from datahub_assets.ops.commands import advice, datasets, hub_queries, ticks
from datahub_assets.ops.commands.advice import Check, CheckFailed, Finding
from datahub_assets.ops.commands.doctor import server_checks
from datahub_assets.ops.commands.doctor.trial_publish import publish_and_read_back
from datahub_assets.ops.commands.hub_queries import HubAsked
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.sources.clocks import CLOCK_FIX, CLOCKS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.database import is_full
from datahub_assets.stores.hub import rights
from datahub_assets.stores.hub.history import MANY_COMMITS, MANY_COMMITS_FIX
from datahub_assets.stores.worker_status import WorkerStatusFile
from datahub_system.clock import now_ms

__all__ = ["Check", "CheckFailed", "Finding", "checks", "findings"]
_LITTLE_DISK_BYTES = 1 << 30


def findings(settings: Settings) -> Iterator[Finding]:
    """Run all checks one after the other, giving each outcome as soon as it is known."""
    for check in checks(settings):
        try:
            yield Finding(check.name, ok=True, seen=check.look())
        except CheckFailed as unwell:
            yield Finding(check.name, ok=False, seen=str(unwell), fix=unwell.fix or check.fix)
        except (HubError, CacheError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            yield Finding(check.name, ok=False, seen=f"{error}" or type(error).__name__, fix=check.fix)


def checks(settings: Settings) -> list[Check]:
    """All checks for these settings."""
    hub = HubAsked(settings)
    CLOCKS.forget()
    logs = settings.home / "logs"
    dagster_fix = server_checks.fix(settings, "dagster.log", "daemon.log")
    return [
        Check("running", lambda: _running(settings), advice.START),
        Check("disk", lambda: _disk(settings), _room_fix(settings)),
        Check("cache", lambda: _cache(settings), "datahub cache rebuild makes a new one from the Hub"),
        *(Check(probe.name, partial(_upstream, probe, settings), probe.fix) for probe in datasets.probes(settings)),
        Check("clock", _clock, CLOCK_FIX),
        Check("hub account", lambda: _account(settings, hub), _hub_fix(settings)),
        Check(
            "publish and read back",
            lambda: _publish(settings, hub),
            _hub_fix(settings),
        ),
        Check("datasets", lambda: _datasets(settings, hub), advice.to_get_rows(settings)),
        Check("histories", lambda: _histories(settings, hub), "see what is said of the cache and the Hub"),
        Check("api", lambda: server_checks.api(settings), server_checks.fix(settings, "api.log")),
        Check("api with token", lambda: server_checks.api_rows(settings), server_checks.fix(settings, "api.log")),
        Check("worker status", lambda: _worker_status(settings), f"remove {WorkerStatusFile(settings.home).path}"),
        Check(
            "warnings", lambda: _warnings(settings), f"each says what to do; see {logs / 'runs.log'} for when it began"
        ),
        Check("ticks", lambda: _ticks(settings), ticks.way_out(settings)),
        Check("dagster", lambda: server_checks.dagster(settings), dagster_fix),
    ]


def _running(settings: Settings) -> str:
    pid = home_lock.holder(settings.home)
    if pid is None:
        raise CheckFailed(f"no `datahub up` runs on {settings.home}")
    return f"datahub up, pid {pid}"


def _disk(settings: Settings) -> str:
    folder = settings.home if settings.home.is_dir() else Path()
    free = shutil.disk_usage(folder).free
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"datahub")
    if free < _LITTLE_DISK_BYTES:
        raise CheckFailed(f"only {free >> 20} MiB free")
    return f"writable, {free >> 30} GiB free"


def _cache(settings: Settings) -> str:
    if not settings.cache_path.is_file():
        raise CheckFailed(
            f"{settings.cache_path} is not there yet", fix="the first tick makes it: make up (or: datahub up)"
        )
    try:
        with Cache.open(settings.cache_path) as cache:
            cache.check()
    except CacheError as error:
        if isinstance(error, CacheFull) or is_full(settings.home):
            # Whatever the file says then: a rebuild would not help, and lose the rows that wait in it.
            raise CheckFailed(str(error), fix=_room_fix(settings)) from error
        if isinstance(error, CacheBusy):
            raise CheckFailed(
                str(error), fix="nothing is wrong with what could be read: ask again in a minute"
            ) from error
        if not isinstance(error, CacheUnusable):
            raise CheckFailed(str(error), fix=f"see that {settings.home} and the files in it can be written") from error
        raise
    return f"sound and writable, {settings.cache_path.stat().st_size >> 10} KiB"


def _upstream(probe: datasets.Probe, settings: Settings) -> str:
    try:
        return probe.look(settings)
    except DataHubError as error:
        raise CheckFailed(str(error)) from error
    except Exception as error:  # somebody else's code: whatever it raises
        raise CheckFailed(f"{type(error).__name__}: {error}") from error


def _clock() -> str:
    """This machine's clock against those of the upstreams that answered just now."""
    problem = CLOCKS.problem(now_ms=now_ms())
    if problem is not None:
        raise CheckFailed(problem)
    told = ", ".join(CLOCKS.hosts)
    return f"this machine's agrees with {told}" if told else "no upstream told the time"


def _account(settings: Settings, hub: HubAsked) -> str:
    if settings.owner_token() is None:
        raise CheckFailed("there is no token that may write")
    try:
        asked = hub.at_hand()
        namespace = asked.namespace
        known = None if settings.embedded_hub else asked.rights()
    except HubRefused as error:
        raise CheckFailed(str(error), fix=_refused_fix(settings, hub)) from error
    if known is None:
        return f"{settings.hub_endpoint} knows the token; datasets belong to {namespace}"
    if (refused := rights.refusal(known, namespace=namespace, endpoint=settings.hub_endpoint)) is not None:
        raise CheckFailed(refused.why, fix=refused.fix)
    return f"{settings.hub_endpoint} knows the token ({known}); datasets belong to {namespace}"


def _publish(settings: Settings, hub: HubAsked) -> str:
    try:
        return publish_and_read_back(hub.at_hand(), token=settings.owner_token())
    except HubRefused as error:
        raise CheckFailed(str(error), fix=_refused_fix(settings, hub)) from error


def _refused_fix(settings: Settings, hub: HubAsked) -> str:
    """What to do about a refusal; what else the Hub says of the token decides."""
    if settings.embedded_hub or settings.hf_token is None:
        return _hub_fix(settings)
    try:
        return advice.of_refused(hub.hub).fix
    except HubError:
        return _hub_fix(settings)


def _datasets(settings: Settings, asked: HubAsked) -> str:
    missing = []
    hub = asked.at_hand()
    for spec in settings.collected:
        try:
            hub.head(spec)
        except HubNotFound:
            missing.append(hub.repo_id(spec))
    if missing:
        raise CheckFailed(f"not published yet: {', '.join(missing)}", fix=advice.to_get_rows(settings))
    return ", ".join(hub.repo_id(spec) for spec in settings.collected)


def _histories(settings: Settings, hub: HubAsked) -> str:
    if settings.embedded_hub:
        return "the embedded Hub does not get slow by many commits"
    hub.at_hand()
    counts = hub_queries.commit_counts(settings)
    told = ", ".join(f"{name}: {count:,} commits" for name, count in counts.items()) or "nothing was published yet"
    if max(counts.values(), default=0) > MANY_COMMITS:
        raise CheckFailed(f"{told}; past {MANY_COMMITS:,} a repo gets slow", fix=MANY_COMMITS_FIX)
    return told


def _worker_status(settings: Settings) -> str:
    told = WorkerStatusFile(settings.home)
    problem = told.problem()
    if problem is not None:
        raise CheckFailed(problem)
    return f"{told.path} tells of {len(told.read().chains)} chains"


def _warnings(settings: Settings) -> str:
    """What run after run warns of."""
    chains = WorkerStatusFile(settings.home).read().chains
    if found := [f"{name}: {warning}" for name, chain in chains.items() for warning in chain.warnings]:
        raise CheckFailed("; ".join(found))
    return "no run warns of what earlier ones did"


def _ticks(settings: Settings) -> str:
    silence = ticks.silence(settings, now_ms=now_ms())
    if silence is not None:
        raise CheckFailed(silence)
    told, names = WorkerStatusFile(settings.home), [spec.name for spec in settings.collected]
    began = {name: datetime_iso(told.chain(name).last_tick) or "never" for name in names}
    return ", ".join(f"{name}: last run began {last}" for name, last in began.items())


def _room_fix(settings: Settings) -> str:
    return f"free some space, or move {settings.home} (DATAHUB_HOME)"


def _hub_fix(settings: Settings) -> str:
    if settings.embedded_hub:
        return "the embedded Hub runs while `datahub up` does; see its log hub.log"
    return "HF_TOKEN needs write access to HF_USERNAME's datasets; HF_ENDPOINT names the Hub"
