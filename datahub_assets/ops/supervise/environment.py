"""The environment each process of the stack gets: what all need, and only the secrets it needs."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from datahub_assets.settings import Settings
from datahub_assets.settings_table import dataset_secrets
from datahub_system.net.proxies import VARIABLES, Proxies

_OF_DATASETS = tuple(dataset_secrets())
_SECRETS = ("HF_TOKEN", "HF_API_TOKEN", "DATAHUB_WEBHOOK_SECRET", *_OF_DATASETS)
_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # A login cached on disk is not ours: only HF_TOKEN writes.
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "PYTHONUNBUFFERED": "1",
    # Their output is a pipe that we read as UTF-8, whatever the terminal takes.
    "PYTHONIOENCODING": "utf-8",
    # Some libraries add what a .netrc knows to requests; which secret goes where is decided by us alone.
    "NETRC": os.devnull,
}
# Read by the jemalloc in polars, the one in pyarrow, and numpy's OpenBLAS, which all start threads when imported.
_NO_NATIVE_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments of children by what secrets they may see; `blotted` is what all see and no log may show."""

    base: Mapping[str, str]
    secret: Mapping[str, str]
    blotted: tuple[str, ...] = field(default=(), repr=False)

    def of(self, *names: str) -> dict[str, str]:
        """The common environment and these secrets, as far as they are set."""
        return {**self.base, **{name: self.secret[name] for name in names if name in self.secret}}

    @property
    def worker(self) -> dict[str, str]:
        """For processes that load the definitions: they fetch and publish."""
        return self.of("HF_TOKEN", "HF_API_TOKEN", *_OF_DATASETS)

    @property
    def forking(self) -> dict[str, str]:
        """For the process that forks runs: as a worker, and no import may start threads."""
        return {**self.worker, **_NO_NATIVE_THREADS}


def build(settings: Settings, environ: Mapping[str, str] | None = None) -> Environments:
    """Split this process's environment into what all may see and the secrets; paths become absolute."""
    environ = os.environ if environ is None else environ
    base = {name: value for name, value in environ.items() if name not in {*_SECRETS, *VARIABLES}}
    base.update(_QUIET)
    # Read alike by every library of a child, and with the stack's own address among what is reached directly.
    proxies = Proxies.from_env(environ).with_direct(settings.bind_host)
    base.update(proxies.environment())
    base["DATAHUB_HOME"] = str(settings.home.resolve())
    base["DAGSTER_HOME"] = str(settings.dagster_home.resolve())
    secret = {name: environ[name] for name in _SECRETS if environ.get(name, "").strip()}
    if settings.embedded_hub:
        secret.setdefault("DATAHUB_WEBHOOK_SECRET", secrets.token_urlsafe(32))
    return Environments(base=base, secret=secret, blotted=proxies.secrets)
