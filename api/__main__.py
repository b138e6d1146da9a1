"""`python -m api serve`: the API in a process of its own."""

import logging
import logging.config
import sys
from typing import Final

import click

from datahub_assets.domain.errors import DatasetInvalid, SettingsError
from datahub_system.files.home import open_home
from datahub_system.files.private import private_umask
from datahub_system.interpreter import freeze_what_is_loaded, leave_out_pandas
from datahub_system.net.addresses import at
from datahub_system.net.hosts import HostCheck, OwnHosts
from datahub_system.net.log_limit import limit_repeats
from datahub_system.net.server import Server, listening_socket

_STOP_TIMEOUT_S: Final = 5
"""For answers that are being sent when the server is asked to stop."""


@click.group()
def main() -> None:
    """The HTTP API of the Crypto Data Hub."""


@main.command()
@click.option("--host", help="address to listen on; default: DATAHUB_BIND_HOST")
@click.option("--port", type=click.IntRange(1, 65535), help="port to listen on; default: DATAHUB_API_PORT")
def serve(host: str | None, port: int | None) -> None:
    """Serve until SIGTERM or Ctrl-C. Settings come from the environment.

    \b
    Example:
      DATAHUB_HOME=./data python -m api serve --port 7860
    """
    leave_out_pandas()
    try:
        from api.asgi import create_app  # noqa: PLC0415 - what it loads, the datasets, may not be valid
        from datahub_assets.settings import Settings  # noqa: PLC0415

        settings = Settings.from_env()
    except (SettingsError, DatasetInvalid) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    private_umask()
    try:
        for note in open_home(settings.home):
            click.echo(f"warning: {note}", err=True)
    except OSError as error:
        click.echo(f"DATAHUB_HOME={settings.home} cannot be used: {error}", err=True)
        sys.exit(1)
    logging.config.dictConfig(_logging())
    limit_repeats()
    address = host or settings.bind_host
    try:
        sock = listening_socket(address, port or settings.api_port)
    except OSError as error:
        click.echo(f"{at(address, port or settings.api_port)} cannot be listened on: {error.strerror}", err=True)
        sys.exit(1)
    app = create_app(settings)
    own = OwnHosts([address, *settings.allowed_hosts])
    Server(
        HostCheck(app, own, remedy="add the name to DATAHUB_ALLOWED_HOSTS"),
        lifespan="on",
        on_ready=freeze_what_is_loaded,
        on_stopping=app.state.feed.end,
        stop_timeout_s=_STOP_TIMEOUT_S,
    ).run(sockets=[sock])


def _logging() -> dict[str, object]:
    logging.captureWarnings(capture=True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {"httpx": {"level": "WARNING"}},
        "root": {"level": "INFO", "handlers": ["console"]},
    }


if __name__ == "__main__":
    main()
