"""`datahub history status` and `verify`: what the ledger of sources tells, and whether the rows are as it says."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import polars as pl

from datahub_assets.datasets.ledgers import series_named
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.history import Month, Verdict
from datahub_assets.ops.commands.history.options import dataset_with_source
from datahub_assets.ops.commands.maintenance import hub_for_commands
from datahub_assets.settings import Settings
from datahub_assets.stores.fill import tellings, verifying
from datahub_assets.stores.history import told_sources
from datahub_assets.stores.history.told_sources import ToldSources
from datahub_system.clock import now_ms

_LOG: Final = logging.getLogger(__name__)


def lines(settings: Settings, name: str | None) -> list[str]:
    """What is done, by group and year, and files that something is wrong with."""
    spec, _ = dataset_with_source(name)
    with hub_for_commands(settings) as hub:
        try:
            told = told_sources.read_all(spec, hub=hub, revision=hub.head(spec))
        except HubNotFound:
            return [f"{spec.name} is not on the Hub yet"]
    if told.lines.is_empty():
        return [f"{spec.name} has no history yet: datahub history fill --from 2017-08"]
    return [*_by_year(spec, told), *_bad(told)]


def _by_year(spec: DatasetSpec, told: ToldSources) -> list[str]:
    newest = told.lines.sort("fetched_at").group_by("series", "month", maintain_order=True).last()
    done, asked, rows = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for series, month, is_done in newest.select("series", "month", "done").iter_rows():
        year = (verifying.group_of(spec, series_named(spec, series)), month[:4])
        asked[year] += 1
        done[year] += is_done
    for (group, month), counts in verifying.told_months(spec, told.lines).items():
        rows[group, str(month)[:4]] += sum(counts.values())
    order = list(spec.groups) or [""]
    years = sorted(asked, key=lambda one: (order.index(one[0]), one[1]))
    return [
        f"{' '.join(year).strip()}: {done[year]:,} of {asked[year]:,} months of series are done, {rows[year]:,} rows"
        for year in years
    ]


def _bad(told: ToldSources) -> list[str]:
    bad = told.lines.filter(pl.col("verdict").is_in([str(one) for one in Verdict if not one.is_well])).sort(
        "month", "series"
    )
    if bad.is_empty():
        return []
    named = [
        f"  {verdict} {url}" + (f": {detail}" if detail else "")
        for verdict, url, detail in bad.select("verdict", "url", "detail").iter_rows()
    ]
    return [f"{bad.height:,} files or answers that something is wrong with:", *tellings.shortened(named)]


def faults(settings: Settings, name: str | None, *, sample: int, tell: Callable[[str], None]) -> list[str]:
    """Months of series whose rows are not what they should be, in lines.

    Args:
        sample: so many are compared with the source, chosen at random; those with more rows than came are as well.
    """
    spec, open_source = dataset_with_source(name)
    with hub_for_commands(settings) as hub, open_source(settings, clock=now_ms, log=_LOG, beside_live=True) as source:
        head = hub.head(spec)
        told = told_sources.read_all(spec, hub=hub, revision=head)
        months = verifying.told_months(spec, told.lines)
        tell(f"counting rows of {len(months):,} months at {head[:12]}")
        counted = list(verifying.counted(spec, hub=hub, revision=head, told=months))
        found = [one.fault for one in counted if one.fault is not None]
        there = sorted({(series, month) for (_, month), counts in months.items() for series in counts})
        chosen: list[tuple[tuple[str, ...], Month]] = random.sample(there, min(sample, len(there)))
        larger = [(one.series, one.month) for one in counted if one.keys > one.came]
        chosen += [one for one in larger if one not in chosen]
        tell(f"comparing {len(chosen):,} months of series with the source")
        found += verifying.other_values(spec, hub=hub, revision=head, source=source, sample=chosen)
    return [f"{' '.join(one.series)} {one.month}: {one.what}" for one in found]
