"""`datahub status` and `datahub doctor` as tables on a terminal."""

from rich.console import Console
from rich.table import Table

from datahub_assets.ops.commands.doctor.checks import findings
from datahub_assets.ops.commands.status import ChainState, overview
from datahub_assets.settings import Settings
from datahub_system.clock import now_ms


def print_status(settings: Settings) -> bool:
    """Print a table with a column for each dataset, and what deserves a look; whether nothing does."""
    console = Console(soft_wrap=True)
    seen = overview(settings, now_ms=now_ms())
    chains = seen.chains
    public = f", API {settings.public_url}" if settings.public_url is not None else ""
    table = Table(title=f"{settings.hub_endpoint}, home {settings.home}{public}", title_justify="left")
    table.add_column("")
    for chain in chains:
        table.add_column(chain.dataset, justify="right")
    for name, *cells in zip(*[_lines(chain) for chain in chains], strict=True):
        table.add_row(name[0], *[cell[1] for cell in (name, *cells)])
    console.print(table)
    console.print(seen.commits, markup=False, highlight=False)
    of_chains = [f"{chain.dataset}: {warning}" for chain in chains for warning in chain.warnings]
    for warning in [*of_chains, *seen.warnings]:
        console.print(warning, style="yellow", markup=False, highlight=False)
    return seen.well


def _lines(chain: ChainState) -> list[tuple[str, str]]:
    return [
        ("rows on the Hub", f"{chain.rows:,}"),
        ("newest row", _moment(chain.newest_row)),
        ("lag", _or_dash(None if chain.lag_s is None else f"{chain.lag_s:.0f} s")),
        ("last success", _moment(chain.last_success)),
        ("last commit", _or_dash(chain.last_commit and chain.last_commit[:12])),
        ("commits", _or_dash(chain.commits)),
        ("rows waiting for the Hub", f"{chain.waiting:,}"),
        ("rows the Hub lost", f"{chain.owed:,}"),
        ("open gaps", _or_dash(chain.gaps_open)),
        ("rows in quarantine", f"{chain.quarantined:,}"),
        ("last error", _or_dash(chain.last_error and chain.last_error.split(":")[0])),
    ]


def print_findings(settings: Settings) -> bool:
    """Run the checks, printing each as it ends; whether all is well."""
    console = Console(soft_wrap=True)
    well = True
    for finding in findings(settings):
        mark, style = ("ok  ", "green") if finding.ok else ("FAIL", "red")
        console.print(f"{mark}  {finding.check}: {finding.seen}", style=style, markup=False, highlight=False)
        if not finding.ok:
            well = False
            console.print(f"      fix: {finding.fix}", markup=False, highlight=False)
    return well


def _or_dash(value: object) -> str:
    return "–" if value is None else str(value)


def _moment(text: str | None) -> str:
    return "–" if text is None else text[:19].replace("T", " ")
