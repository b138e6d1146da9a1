"""What all commands of the command line share: settings, exit codes, examples."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, NoReturn, ParamSpec

import click

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import DataHubError, SettingsError
from datahub_assets.ops.supervise import home
from datahub_assets.settings import Settings
from datahub_system.files.private import UnsafePath

P = ParamSpec("P")
ANY_DATASET = next(iter(DATASETS))
dataset_option = click.option("--dataset", "name", metavar="NAME", help=f"one of {', '.join(DATASETS)} instead of all")


def ends_well(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
    """Load the settings, check whose the home is, run the command; print errors of ours and exit with their code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            settings = Settings.from_env()
            home.check(settings.home)
            command(settings, *args, **kwargs)
        except SettingsError as error:
            fail(error, code=2)
        except (DataHubError, UnsafePath) as error:
            fail(error, code=1)

    return run


def make_home(settings: Settings) -> None:
    """Have the home, for a command that writes; what a person should know of it is printed."""
    for note in home.make(settings.home):
        click.echo(f"warning: {note}", err=True)


def fail(error: DataHubError | UnsafePath, *, code: int) -> NoReturn:
    """Print an error and exit with this code."""
    click.echo(f"datahub: {error}", err=True)
    sys.exit(code)


def examples(*lines: str) -> str:
    r"""An epilog click leaves as it is (\b)."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
