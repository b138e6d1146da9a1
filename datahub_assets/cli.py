"""`datahub`: the command line. Options, questions, exit codes.

Modules are imported by the command that needs them: `datahub token` should not wait for Dagster or polars.
Exit codes: 0 done and well, 1 it could not be done or something is not well, 2 wrong usage or settings.
"""

import subprocess
import sys
from typing import Any, NoReturn

import click

from datahub_assets.cli_history import history
from datahub_assets.cli_support import ANY_DATASET, dataset_option, ends_well, examples, make_home
from datahub_assets.domain.errors import DataHubError
from datahub_assets.settings import Settings
from datahub_assets.settings_table import setting_rows
from datahub_system.files.private import check_file, private_umask
from datahub_system.terminal import print_what_can_be


def _settings_epilog() -> str:
    rows = [f"  {row.variable}\n      {row.description} [{row.default}]" for row in setting_rows()]
    return "\b\nEnvironment:\n" + "\n".join(rows) + "\n\n" + examples("datahub up", "DATAHUB_API_PORT=8000 datahub up")


class _CommandLine(click.Group):
    """All commands, each of which prints to whatever standard output is."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command, or show its help."""
        print_what_can_be()
        return super().main(*args, **options)


@click.group(
    cls=_CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=examples("datahub up", "datahub status", "datahub COMMAND --help"),
)
@click.version_option(package_name="crypto-data-hub")
def main() -> None:
    """Live crypto prices and candles, published as Hugging Face datasets and served over HTTP."""
    private_umask()


@main.command(epilog=_settings_epilog())
@ends_well
def up(settings: Settings) -> None:
    """Run everything in the foreground until Ctrl-C: embedded Hub, Dagster, API."""
    from datahub_assets.ops.commands.up import up as run  # noqa: PLC0415

    run(settings, ask=click.confirm if sys.stdin.isatty() else None)


@main.group(
    invoke_without_command=True,
    epilog=examples(
        "datahub token",
        "datahub token add laptop",
        "datahub token add sheet --url",
        'curl -H "Authorization: Bearer $(datahub token)" …',
    ),
)
@click.pass_context
def token(context: click.Context) -> None:
    """Print the owner's token of the embedded Hub, which opens the API too; or make tokens for clients.

    \b
    There are two kinds for clients, and both may only read:
      client tokens (dhc_…)       open this API only, whichever Hub it serves from
      with --hub (hf_…)           open the embedded Hub, as for load_dataset, and this API too
    """
    if context.invoked_subcommand is None:
        _print_token()


@ends_well
def _print_token(settings: Settings) -> None:
    found = settings.token_path.read_text(encoding="ascii").strip() if check_file(settings.token_path) else None
    if not settings.embedded_hub:
        raise DataHubError(
            f"the Hub is {settings.hub_endpoint}: your token is HF_TOKEN, and it stays in the environment"
        )
    if not found:
        raise DataHubError(f"no token yet: `datahub up` makes it in {settings.token_path}")
    click.echo(found)


_hub_option = click.option("--hub", "of_hub", is_flag=True, help="of the embedded Hub, instead of a client token")


@token.command("add", epilog=examples("datahub token add laptop", "datahub token add sheet --url"))
@click.argument("name")
@click.option("--url", "in_url", is_flag=True, help="it may come as ?token=… too, for clients that cannot set headers")
@_hub_option
@ends_well
def token_add(settings: Settings, name: str, *, in_url: bool, of_hub: bool) -> None:
    """Make a read-only token for a client of the API and print it, once. A running API knows it at once.

    It is sent as `Authorization: Bearer …`, or as password or user of HTTP Basic; with --url also in the URL, where
    proxies, histories and logs of others may keep it.
    """
    if of_hub:
        if in_url:
            raise click.UsageError("--url is for client tokens: tokens of a Hub never come in a URL")
        _localhub_token(settings, "--add", name, "--revoke-with", f"datahub token remove {name} --hub", makes=True)
    from datahub_assets.ops.commands import client_tokens  # noqa: PLC0415

    make_home(settings)
    click.echo(client_tokens.add(settings, name, in_url=in_url))


@token.command("list", epilog=examples("datahub token list"))
@_hub_option
@ends_well
def token_list(settings: Settings, *, of_hub: bool) -> None:
    """List the client tokens, oldest first: name, when it was made, where it may be sent.

    With --hub those of the embedded Hub: name, user, role.
    """
    if of_hub:
        _localhub_token(settings, "--list")
    from datahub_assets.ops.commands import client_tokens  # noqa: PLC0415

    for line in client_tokens.lines(settings):
        click.echo(line)


@token.command("remove", epilog=examples("datahub token remove laptop"))
@click.argument("name")
@_hub_option
@ends_well
def token_remove(settings: Settings, name: str, *, of_hub: bool) -> None:
    """End a client's token: within a second the API refuses it, and open streams end.

    With --hub the embedded Hub refuses it at once, and the API within five minutes.
    """
    if of_hub:
        _localhub_token(settings, "--revoke", name)
    from datahub_assets.ops.commands import client_tokens  # noqa: PLC0415

    try:
        client_tokens.remove(settings, name)
    except client_tokens.NoSuchToken as error:
        also = f". One of the embedded Hub: datahub token remove {name} --hub" if settings.embedded_hub else ""
        raise DataHubError(f"{error}{also}") from None


token.add_command(
    click.Command(
        "revoke",
        callback=token_remove.callback,
        params=token_remove.params,
        help="As `remove`, by its earlier name.",
        epilog=examples("datahub token revoke laptop"),
        hidden=True,
    )
)


def _localhub_token(settings: Settings, *arguments: str, makes: bool = False) -> NoReturn:
    if not settings.embedded_hub:
        raise DataHubError(f"tokens of {settings.hub_endpoint} are made and ended in your account's settings there")
    if makes:
        make_home(settings)
    _localhub("token", "--home", str(settings.localhub_home), "--token-file", str(settings.token_path), *arguments)


@main.command(epilog=examples("datahub status", "datahub status && echo all well"))
@ends_well
def status(settings: Settings) -> None:
    """Show each dataset: rows, newest row, lag, last commit, last error, gaps. Exits 1 when something needs a look."""
    from datahub_assets.ops.commands.report import print_status  # noqa: PLC0415

    sys.exit(0 if print_status(settings) else 1)


@main.command(epilog=examples("datahub doctor"))
@ends_well
def doctor(settings: Settings) -> None:
    """Check everything live (upstreams, cache, publish and read back, API) and say how to fix what is not well."""
    from datahub_assets.ops.commands.report import print_findings  # noqa: PLC0415

    sys.exit(0 if print_findings(settings) else 1)


@main.command(
    epilog=examples(
        "datahub quarantine",
        f"datahub quarantine --dataset {ANY_DATASET} --raw",
        "datahub quarantine --json | jq '.groups[] | select(.last_seen > \"2025-12\")'",
    )
)
@dataset_option
@click.option("--raw", is_flag=True, help="also what upstream sent, for the rows seen last")
@click.option("--json", "as_json", is_flag=True, help="one JSON document")
@ends_well
def quarantine(settings: Settings, *, name: str | None, raw: bool, as_json: bool) -> None:
    """Show the rows that failed their checks, by what they are of and why, those seen last first. Only reads."""
    from datahub_assets.ops.commands import maintenance, rejected_rows  # noqa: PLC0415

    found = rejected_rows.rejects(settings, maintenance.chosen(name), raw=raw)
    click.echo(rejected_rows.as_json(found) if as_json else rejected_rows.as_text(found))


@main.command("settings", epilog=examples("datahub settings"))
def settings_() -> None:
    """Print the table of settings: variable, default, meaning."""
    for row in setting_rows():
        click.echo(f"{click.style(row.variable, bold=True)}  [{row.default}]\n    {row.description}")


@main.command("datasets", epilog=examples("datahub datasets"))
def datasets_() -> None:
    """List the datasets: name, title, repo on the Hub, and the package that brings each."""
    from datahub_assets.ops.commands.datasets import listing  # noqa: PLC0415

    click.echo("\n".join(listing()))


@main.group()
def cache() -> None:
    """Care for the SQLite cache."""


@cache.command(epilog=examples("datahub cache rebuild", "datahub cache rebuild --yes"))
@click.option("--yes", is_flag=True, help="do not ask")
@ends_well
def rebuild(settings: Settings, *, yes: bool) -> None:
    """Set the cache aside and make a new one from the Hub. Stop `datahub up` first."""
    from datahub_assets.ops.commands import maintenance  # noqa: PLC0415
    from datahub_assets.ops.supervise import home_lock  # noqa: PLC0415

    make_home(settings)
    with home_lock.held(settings.home):
        if not yes:
            click.confirm(
                f"Set {settings.cache_path} aside and make a new one from {settings.hub_endpoint}?", abort=True
            )
        for name, rows in maintenance.rebuild_cache(settings).items():
            click.echo(f"{name}: {rows:,} rows taken from the Hub")


@main.group()
def hub() -> None:
    """Care for the datasets on the Hub."""


@hub.command(epilog=examples("datahub hub squash", f"datahub hub squash --dataset {ANY_DATASET} --yes"))
@dataset_option
@click.option("--yes", is_flag=True, help="do not ask")
@ends_well
def squash(settings: Settings, *, name: str | None, yes: bool) -> None:
    """Fold the history of the datasets into one commit each; tags today's state first. Cannot be undone."""
    from datahub_assets.ops.commands import maintenance  # noqa: PLC0415

    specs = settings.collected if name is None else maintenance.chosen(name)
    click.echo(maintenance.SQUASH_LOSES)
    if not yes:
        click.confirm(f"Squash {', '.join(spec.repo_name for spec in specs)} on {settings.hub_endpoint}?", abort=True)
    make_home(settings)
    for spec in specs:
        done = maintenance.squash_history(settings, spec)
        click.echo(f"{spec.repo_name}: one commit {done.after[:12]}; the state before is tagged {done.tag}")


@main.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    epilog=examples("datahub localhub serve --home ./hub --port 7870"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def localhub(arguments: tuple[str, ...]) -> None:
    """Run the embedded Hub on its own; see `datahub localhub --help`."""
    _localhub(*arguments)


def _localhub(*arguments: str) -> NoReturn:
    """The Hub stands alone, so it is a process of its own; its exit code is ours."""
    sys.exit(subprocess.run([sys.executable, "-m", "localhub", *arguments], check=False).returncode)  # noqa: S603


main.add_command(history)


if __name__ == "__main__":
    main()
