"""`python -m api serve`: the API in a process of its own, on granian. What it serves is built in `asgi`."""

import logging
import multiprocessing
import os
import sys

import click
from granian.constants import Interfaces, Loops
from granian.server import Server

from api.lasting import END_STREAMS
from datahub_assets.domain.errors import SettingsError
from datahub_assets.settings import Settings


class _Server(Server):  # type: ignore[misc,valid-type]
    """granian, which waits for running answers when it stops, and does not know that some never end by themselves."""

    def shutdown(self, exit_code: int = 0) -> None:
        """Have its workers end such answers, then stop as always."""
        for worker in multiprocessing.active_children():
            if worker.pid is not None:
                os.kill(worker.pid, END_STREAMS)
        super().shutdown(exit_code)


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
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    _Server(
        "api.asgi:create_app",
        factory=True,
        address=host or settings.bind_host,
        port=port or settings.api_port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        log_dictconfig=_logging(),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
    ).serve()


def _logging() -> dict[str, object]:
    logging.captureWarnings(capture=True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {"httpx": {"level": "WARNING"}, "_granian": {"level": "INFO", "propagate": True}},
        "root": {"level": "INFO", "handlers": ["console"]},
    }


if __name__ == "__main__":
    main()
