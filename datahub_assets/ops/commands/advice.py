"""What a check of `datahub doctor` finds, and what to do: to wait helps only where the next tick may bring rows."""

from collections.abc import Callable
from dataclasses import dataclass

from datahub_assets.domain.errors import DataHubError, HubError, HubRefused, Transient
from datahub_assets.domain.worker_status import WorkerError
from datahub_assets.ops.commands import hub_queries
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.stores.hub import rights
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.rights import WriteRefusal
from datahub_assets.stores.worker_status import WorkerStatusFile

START = "start it: make up (or: datahub up)"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: what was looked at, whether it is well, what was seen, and what to do if it is not."""

    check: str
    ok: bool
    seen: str
    fix: str = ""


class CheckFailed(Exception):
    """What a check found; the message is what a person reads, `fix` the advice where the check's own would mislead."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Check:
    """A name, a function that says what it saw or raises, and the advice for when it raises."""

    name: str
    look: Callable[[], str]
    fix: str


def to_get_rows(settings: Settings) -> str:
    """What to do about datasets without rows, by what holds them up: nothing runs, a run fails for good, or for now."""
    if home_lock.holder(settings.home) is None:
        return START
    if (refused := refusal(settings)) is not None:
        return f"{refused.why}: {refused.fix}"
    logs = settings.home / "logs" / "runs.log"
    errors = last_errors(settings)
    for_good = {name: error for name, error in errors.items() if not _passes(error.code)}
    if for_good:
        named = "; ".join(f"{name}: {error.code}: {error.message}" for name, error in for_good.items())
        return f"waiting does not help, the last run failed: {named}; see {logs}"
    if errors:
        return f"wait: what failed for now ({', '.join(errors)}) is tried again at each tick; see {logs}"
    return f"wait for the first tick; then see {logs}"


def refusal(settings: Settings) -> WriteRefusal | None:
    """Why the Hub refuses what the last runs sent, asked of it within seconds; None where it does not, or is silent."""
    refused = any(error.code == HubRefused.code for error in last_errors(settings).values())
    if not refused or settings.embedded_hub or settings.hf_token is None:
        return None
    hub = hub_queries.hub_of_settings(settings)
    try:
        return hub_queries.within(
            hub_queries.ANSWER_LIMIT_S, lambda: of_refused(hub), silent=f"{settings.hub_endpoint} does not answer"
        )
    except HubError:  # has a line of its own
        return None


def of_refused(hub: Hub) -> WriteRefusal:
    """Why the Hub refused something to this token.

    Raises:
        HubError: it could not be asked.
    """
    try:
        known = hub.rights()
    except HubRefused:
        return unknown_token(hub.endpoint)
    return rights.after_refusal(known, namespace=hub.namespace, endpoint=hub.endpoint)


def unknown_token(endpoint: str) -> WriteRefusal:
    """The token itself is not accepted."""
    return WriteRefusal(
        f"{endpoint} does not know HF_TOKEN: it is misspelt, expired or revoked",
        f"make a token with the role write at {endpoint}/settings/tokens, set HF_TOKEN to it and start again",
    )


def last_errors(settings: Settings) -> dict[str, WorkerError]:
    """What went wrong last, by dataset that is collected."""
    chains = WorkerStatusFile(settings.home).read().chains
    found = {spec.name: chains[spec.name].last_error for spec in settings.collected if spec.name in chains}
    return {name: error for name, error in found.items() if error is not None}


def _passes(code: str) -> bool:
    """Whether an error of this code may pass by itself."""
    kinds: list[type[DataHubError]] = [DataHubError]
    for kind in kinds:  # grows while it is read
        kinds.extend(kind.__subclasses__())
    return any(issubclass(kind, Transient) for kind in kinds if kind.code == code)
