"""The ledger of sources as the Hub has it: which months of which series are done."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.ledgers import series_named, sources_of
from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.domain.history import Month
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub


def ledger_of(spec: DatasetSpec) -> LedgerSpec:
    """The ledger of sources.

    Raises:
        ValueError: the dataset fetches no history.
    """
    ledger = sources_of(spec)
    if ledger is None:
        raise ValueError(f"{spec.name} fetches no history")
    return ledger


def part_of(spec: DatasetSpec, *, group: str, month: Month) -> str:
    """The file with the lines of this month."""
    names = (f"{month.year:04}",) if spec.group is None else (group, f"{month.year:04}")
    return ledger_of(spec).part(*names)


@dataclass(frozen=True, slots=True)
class ToldSources:
    """The lines of one part of the ledger at a commit."""

    spec: DatasetSpec
    lines: pl.DataFrame

    def done(self, month: Month, *, since_ms: int | None = None) -> set[Series]:
        """The series that have all there is of a month, by their newest line.

        Args:
            since_ms: those asked for since then (epoch ms) count as well, whatever came of it.
        """
        newest = self.lines.filter(month=str(month)).sort("fetched_at").group_by("series", maintain_order=True).last()
        settled = pl.col("done")
        if since_ms is not None:
            settled |= pl.col("fetched_at").dt.epoch("ms") >= since_ms
        return {series_named(self.spec, text) for text in newest.filter(settled)["series"]}


def read(spec: DatasetSpec, path: str, *, hub: Hub, files: Iterable[str], revision: str) -> ToldSources:
    """A part of the ledger at a commit that has these files; one that is not there has no lines.

    Raises:
        HubError: it could not be read.
    """
    ledger = ledger_of(spec)
    if path not in files:
        return ToldSources(spec, pl.DataFrame(schema=ledger.polars_schema()))
    name = f"{path} at {revision}"
    return ToldSources(spec, layout.read(ledger, hub.read(spec, path, revision=revision), name=name))


def read_all(spec: DatasetSpec, *, hub: Hub, revision: str) -> ToldSources:
    """All parts of the ledger at a commit.

    Raises:
        HubError: they could not be read.
    """
    ledger = ledger_of(spec)
    paths = sorted(path for path in hub.files(spec, revision=revision) if ledger.holds(path))
    parts = [read(spec, path, hub=hub, files=paths, revision=revision).lines for path in paths]
    return ToldSources(spec, pl.concat([pl.DataFrame(schema=ledger.polars_schema()), *parts]))
