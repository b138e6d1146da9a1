"""The ledger of corrections of a dataset: values of final rows that upstream changed afterwards."""

from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.ledgers import corrected_values, corrections_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table


@dataclass(frozen=True, slots=True)
class Corrections:
    """The lines of one dataset; none where it keeps no such ledger."""

    database: Database
    spec: DatasetSpec

    def note(self, *, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Rows took the place of others: which values of final ones are other ones now."""
        if self.spec.corrections is not None:
            self.add(corrected_values(self.spec, before=before, after=after))

    def add(self, lines: pl.DataFrame) -> None:
        """Add lines, for the next commit; those that are there already are left alone."""
        ledger = corrections_of(self.spec)
        if ledger is None or lines.is_empty():
            return
        table = Table.of(self.database, ledger)
        with self.database.transaction():
            fresh = lines.join(table.matching(lines), on=list(ledger.key), how="anti")
            if fresh.height:
                table.put(fresh, version=self.database.next_version())
