"""`python -m datahub_assets.ops.dagster.web -w WORKSPACE`: Dagster's UI in a process of its own."""

import logging
import os
import sys
from pathlib import Path

import click

from datahub_assets.domain.errors import DataHubError
from datahub_assets.ops.dagster.web.application import dagster_application, guarded
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from datahub_system.net import addresses
from datahub_system.net.log_limit import limit_repeats
from datahub_system.net.server import Server, listening_socket


@click.command()
@click.option(
    "-w",
    "--workspace",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="workspace.yaml with the code locations",
)
@click.option("--port", type=click.IntRange(0, 65535), help="port to listen on; default: DATAHUB_DAGSTER_PORT")
def main(workspace: Path, port: int | None) -> None:
    """Serve Dagster's UI until SIGTERM or Ctrl-C. Settings come from the environment, as does DAGSTER_HOME."""
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    limit_repeats()
    try:
        settings = Settings.from_env()
        serve(settings, workspace, settings.dagster_port if port is None else port)
    except DataHubError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)  # everything is closed; taking Dagster's modules apart would only use seconds of CPU


def serve(settings: Settings, workspace: Path, port: int) -> None:
    """Serve until told to stop, after printing one line with the address.

    Raises:
        OpsError: the address cannot be had, or there is no token to log in with.
    """
    try:
        sock = listening_socket(settings.dagster_host, port)
    except OSError as error:
        raise OpsError(
            f"{addresses.at(settings.dagster_host, port)} cannot be listened on: {error.strerror}"
        ) from error
    with sock, dagster_application(workspace) as app:
        address = addresses.at(settings.dagster_host, sock.getsockname()[1])
        Server(
            guarded(app, settings),
            websockets=True,
            on_ready=lambda: click.echo(f"Dagster's UI listens on {address}"),
        ).run(sockets=[sock])


if __name__ == "__main__":
    main()
