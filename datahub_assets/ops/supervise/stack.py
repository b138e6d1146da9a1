"""The processes of the product: commands, order, how each says that it is ready, which of its lines a person sees."""

import re
import sys
from pathlib import Path

from datahub_assets.ops.dagster.dagster_home import CODE_MODULE, LOCATION, code_socket, warm_socket
from datahub_assets.ops.dagster.run_output import RunLines, trouble
from datahub_assets.ops.dagster.web.access import needs_login
from datahub_assets.ops.supervise.environment import Environments
from datahub_assets.ops.supervise.process import ProcessSpec, answers
from datahub_assets.settings import Settings
from datahub_system.net import addresses

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
_WARM_READY = re.compile(r"^warm server ready")
_CODE_READY = re.compile(r"Started Dagster code server")
_DAEMON_READY = re.compile(r"Instance is configured with the following daemons")


def reachable_host(bind_host: str) -> str:
    """The address at which this machine reaches a server bound to `bind_host`."""
    return _ANY_ADDRESS.get(bind_host, bind_host)


def hub_host(settings: Settings) -> str:
    """Where the embedded Hub listens: as the others when that includes loopback, as the workers ask there."""
    host = settings.bind_host
    return host if host in _ANY_ADDRESS or host.startswith("127.") else "127.0.0.1"


def api_url(settings: Settings) -> str:
    """Where this machine reaches the API."""
    return _url(settings.bind_host, settings.api_port)


def dagster_url(settings: Settings) -> str:
    """Where this machine reaches Dagster's UI."""
    return _url(settings.dagster_host, settings.dagster_port)


def processes(settings: Settings, *, environments: Environments, workspace: Path) -> list[ProcessSpec]:
    """Everything `datahub up` runs, in the order in which it starts."""
    specs = [_code_server(settings, environments), _daemon(environments, workspace)]
    if settings.run_launcher == "warm":
        specs.insert(1, _warm(settings, environments))
    if settings.embedded_hub:
        specs.insert(0, localhub(settings, environments))
    return [*specs, _api(settings, environments), _webserver(settings, environments, workspace)]


def localhub(settings: Settings, environments: Environments) -> ProcessSpec:
    """The embedded Hub."""
    options = {
        "--home": settings.localhub_home.resolve(),
        "--token-file": settings.token_path.resolve(),
        "--host": hub_host(settings),
        "--port": settings.localhub_port,
        "--webhook-url": f"{api_url(settings)}/api/hub/webhook",
        "--webhook-secret-env": "DATAHUB_WEBHOOK_SECRET",
    }
    if settings.keep_history_days:
        options["--keep-history-days"] = settings.keep_history_days
    return ProcessSpec(
        name="hub",
        argv=(
            *(sys.executable, "-m", "localhub", "serve", *(str(word) for pair in options.items() for word in pair)),
            *(word for name in settings.allowed_hosts for word in ("--allowed-host", name)),
        ),
        env=environments.of("DATAHUB_WEBHOOK_SECRET"),
        ready=answers(reachable_host(hub_host(settings)), settings.localhub_port, "/api/datasets?limit=1"),
        stop_wave=1,  # last, so that a commit in flight can end
        terse=trouble,
    )


def _code_server(settings: Settings, environments: Environments) -> ProcessSpec:
    return ProcessSpec(
        name="code",
        argv=(
            *(sys.executable, "-m", "dagster", "api", "grpc", "--socket", str(code_socket(settings))),
            *("--module-name", CODE_MODULE, "--location-name", LOCATION, "--log-level", "info"),
            "--use-python-environment-entry-point",
        ),
        env=environments.worker,
        ready_line=_CODE_READY,
        after=_hub(settings),
        terse=RunLines(),
    )


def _warm(settings: Settings, environments: Environments) -> ProcessSpec:
    return ProcessSpec(
        name="runs",
        argv=(sys.executable, "-m", "datahub_assets.ops.warm", "--socket", str(warm_socket(settings))),
        env=environments.forking,
        ready_line=_WARM_READY,
        after=_hub(settings),
        terse=RunLines(),
    )


def _daemon(environments: Environments, workspace: Path) -> ProcessSpec:
    return ProcessSpec(
        name="daemon",
        argv=(sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)),
        env=environments.of(),
        ready_line=_DAEMON_READY,
        after=("code",),
        terse=trouble,
    )


def _webserver(settings: Settings, environments: Environments, workspace: Path) -> ProcessSpec:
    token = ("HF_TOKEN", "HF_API_TOKEN") if needs_login(settings) else ()
    return ProcessSpec(
        name="dagster",
        argv=(sys.executable, "-m", "datahub_assets.ops.dagster.web", "-w", str(workspace)),
        env=environments.of(*token),
        ready=answers(reachable_host(settings.dagster_host), settings.dagster_port, "/server_info"),
        after=("code", "daemon"),  # which creates Dagster's database; two at once would collide
        terse=trouble,
    )


def _api(settings: Settings, environments: Environments) -> ProcessSpec:
    return ProcessSpec(
        name="api",
        argv=(sys.executable, "-m", "api", "serve"),
        env=environments.of("HF_TOKEN", "HF_API_TOKEN", "DATAHUB_WEBHOOK_SECRET"),
        ready=answers(reachable_host(settings.bind_host), settings.api_port, "/schema/openapi.json"),
        after=_hub(settings),
        terse=trouble,
    )


def _hub(settings: Settings) -> tuple[str, ...]:
    return ("hub",) if settings.embedded_hub else ()


def _url(bind_host: str, port: int) -> str:
    return f"http://{addresses.at(reachable_host(bind_host), port)}"
