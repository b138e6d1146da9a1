"""`datahub history`: fill the datasets with the past, see how far that is, and see that it is right."""

import sys

import click

from datahub_assets.cli_support import ends_well, examples, make_home
from datahub_assets.domain.errors import DataHubError
from datahub_assets.settings import Settings

_names = click.option("--dataset", "name", metavar="NAME", help="the only one with history, unless you say")


@click.group(
    epilog=examples(
        "datahub history fill --from 2017-08",
        "datahub history status",
        "datahub history verify --sample 20",
    )
)
def history() -> None:
    """Fill the datasets with the past: months that are over, from upstream's archive."""


@history.command(
    epilog=examples(
        "datahub history fill --from 2017-08",
        "datahub history fill --from 2024-01 --to 2024-12 --symbols BTCUSDT,ETHUSDT --intervals 1m,1h",
        "datahub history fill --from 2021-01 --symbols all:USDT --with-delisted --intervals 1d",
    )
)
@click.option("--from", "first", required=True, metavar="MONTH", help="the first month: 2017-08")
@click.option("--to", "last", metavar="MONTH", help="the last month, included; the last one that is over, unless said")
@click.option("--symbols", metavar="LIST", help="BTCUSDT,ETHUSDT or all:USDT; those of the settings, unless said")
@click.option("--intervals", metavar="LIST", help="1h,1d; those of the settings, unless said")
@click.option("--with-delisted", is_flag=True, help="with `all:`, also what is traded no more")
@_names
@ends_well
def fill(
    settings: Settings,
    *,
    first: str,
    last: str | None,
    symbols: str | None,
    intervals: str | None,
    with_delisted: bool,
    name: str | None,
) -> None:
    """Fetch months of history and publish them; returns when they are committed.

    Works alone, or has a running `datahub up` do it. Interrupted, the next one goes on where this one was. Exits 0 when
    all that can be had is published, 1 when something is missing still, 2 for a month, symbol or interval that is none.
    """
    from datahub_assets.ops.commands.history import fill as command  # noqa: PLC0415

    make_home(settings)
    asked = command.FillOptions(first, last, symbols, intervals, with_delisted=with_delisted, dataset=name)
    sys.exit(0 if command.fill(settings, asked) else 1)


@history.command(epilog=examples("datahub history status"))
@_names
@ends_well
def status(settings: Settings, *, name: str | None) -> None:
    """Show what the Hub has: months that are done by interval and year, and files something is wrong with."""
    from datahub_assets.ops.commands.history import published  # noqa: PLC0415

    _see_that_there_is_a_hub(settings)
    click.echo("\n".join(published.lines(settings, name)))


@history.command(epilog=examples("datahub history verify", "datahub history verify --sample 50"))
@click.option("--sample", default=5, show_default=True, help="months of series to ask the source for again")
@_names
@ends_well
def verify(settings: Settings, *, sample: int, name: str | None) -> None:
    """Count published rows against the ledger of sources, and compare a sample with the source.

    Months with more rows than the ledger tells are compared too. Exits 1 if a row is missing, doubled, another one, or
    one the source does not have.
    """
    from datahub_assets.ops.commands.history import published  # noqa: PLC0415

    _see_that_there_is_a_hub(settings)
    faults = published.faults(settings, name, sample=sample, tell=click.echo)
    click.echo("\n".join(faults) if faults else "all rows are as they should be")
    sys.exit(1 if faults else 0)


def _see_that_there_is_a_hub(settings: Settings) -> None:
    """Commands that read make no embedded Hub."""
    if settings.embedded_hub and not settings.localhub_home.exists():
        raise DataHubError(f"{settings.home} holds no Hub yet: `datahub up` makes one")
