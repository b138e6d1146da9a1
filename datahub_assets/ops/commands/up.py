"""`datahub up`: everything that has to be right before the first process starts, then the supervisor until it ends."""

import os
import shlex
import shutil
import signal
import sys
from datetime import datetime
from pathlib import Path

from datahub_assets.ops.commands import consent, datasets
from datahub_assets.ops.dagster import dagster_home, runtime_folder
from datahub_assets.ops.dagster.web.access import needs_login
from datahub_assets.ops.supervise import environment, home, home_lock, ports, stack
from datahub_assets.ops.supervise.logs import Redactor
from datahub_assets.ops.supervise.supervisor import Supervisor
from datahub_assets.settings import Settings
from datahub_assets.settings_typos import unknown_settings
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_system.net.clients import environment_proxies
from datahub_system.processes import handle

_NAME_WIDTH = 8


def up(settings: Settings, *, ask: consent.Ask | None = None) -> None:
    """Run the whole product in the foreground until Ctrl-C or SIGTERM.

    Raises:
        OpsError: the home is in use, a port is taken, or public repos were not agreed to; nothing was started.
    """
    notes = home.make(settings.home)
    with home_lock.held(settings.home):
        environment_proxies(warn=lambda line: say("datahub", f"warning: {line}"))
        ports.check_free(settings)
        consent.make_sure(settings, ask=ask)
        for note in notes:
            say("datahub", f"warning: {note}")
        _exit_on_stop_signals()
        with runtime_folder.held(settings.home):
            _run(settings)


def _exit_on_stop_signals() -> None:
    """Make a stop signal before the supervisor runs exit with clean-up, as Ctrl-C does by itself."""
    handle((signal.SIGTERM, signal.SIGHUP), lambda number, _: sys.exit(128 + number))


def _run(settings: Settings) -> None:
    """Write Dagster's files, then run the processes until they are told to stop."""
    workspace = dagster_home.write(settings)
    environments = environment.build(settings)
    specs = stack.processes(settings, environments=environments, workspace=workspace)
    for line in unknown_settings(os.environ):
        say("datahub", f"warning: {line}")
    say("datahub", f"starting {', '.join(spec.name for spec in specs)}; logs in {_logs(settings)}")
    say("datahub", CommitLimits.of(settings).told())
    redact = Redactor([*environments.secret.values(), *environments.blotted, settings.owner_token()])

    def on_ready() -> None:
        redact.learn(settings.owner_token())  # the embedded Hub has made it by now
        _print_lines(welcome(settings))

    Supervisor(specs, logs=_logs(settings), say=say, redact=redact, on_ready=on_ready).run()


def welcome(settings: Settings) -> list[str]:
    """What a person needs once everything serves: addresses, the token's place, a command to try."""
    here, token = stack.api_url(settings), _token_word(settings)
    api = settings.public_url or here
    behind = "" if api == here else f"  (on this machine: {here})"
    login = "  (log in with the token)" if needs_login(settings) else ""
    where = f"embedded Hub, {settings.hub_endpoint}" if settings.embedded_hub else settings.hub_endpoint
    return [
        "",
        f"  API       {api}  (docs: {api}/docs){behind}",
        f"  Dagster   {stack.dagster_url(settings)}{login}",
        f"  Datasets  {where}",
        f"  Token     {settings.token_path.resolve() if settings.embedded_hub else 'your HF_TOKEN'}",
        "",
        "  Try it (the first rows arrive within two minutes; `datahub status` shows them come):",
        f'  curl -H "Authorization: Bearer {token}" "{datasets.example_url(api)}"',
        "",
    ]


def say(name: str, line: str) -> None:
    """Print one line about a process, cut to the terminal; a terminal that has gone away is no reason to stop."""
    stamp = datetime.now().astimezone().strftime("%H:%M:%S")
    text = f"{stamp} {name:<{_NAME_WIDTH}} {line}"
    if sys.stdout.isatty():
        text = text[: max(40, shutil.get_terminal_size().columns)]
    _print_lines([text])


def _print_lines(lines: list[str]) -> None:
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    except OSError:
        return


def _token_word(settings: Settings) -> str:
    return f"$(cat {shlex.quote(str(settings.token_path))})" if settings.embedded_hub else "$HF_TOKEN"


def _logs(settings: Settings) -> Path:
    return settings.home / "logs"
