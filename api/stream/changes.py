"""What a commit changed: computed once, and written for each subscriber as far as it asked for it."""

from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Final

import msgspec
import polars as pl

from api.engine.diff import Difference, difference
from api.engine.hub.reader import HubCommit
from api.engine.latest import DEFAULT_MAX_AGE_S, latest_rows
from api.engine.snapshot import Snapshot
from api.history.service import write_diff
from api.http.errors import DiffTooLarge
from api.stream.schemas import Restart
from datahub_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 10_000
"""Most rows of each kind in an event; `/api/hub/diff` has the rest."""
_NAMES: Final = ("symbol", "coin_id")


@dataclass(frozen=True, slots=True)
class Interest:
    """What a follower wants to hear of: datasets, and of those rows with one of these names and of this interval."""

    datasets: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    interval: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all rows count."""
        return not self.symbols and self.interval is None

    def of(self, spec: DatasetSpec, found: Difference) -> Difference:
        """The part of a difference that counts."""
        conditions = []
        if self.symbols:
            wanted = [*self.symbols, *(name.lower() for name in self.symbols)]
            conditions.append(reduce(or_, (pl.col(name).is_in(wanted) for name in _NAMES if name in spec.column_names)))
        if self.interval is not None and "interval" in spec.column_names:
            conditions.append(pl.col("interval") == self.interval)
        if not conditions:
            return found
        counts = found.after.select(pl.all_horizontal(conditions)).to_series()
        return Difference(
            added=found.added.filter(conditions),
            removed=found.removed.filter(conditions),
            before=found.before.filter(counts),
            after=found.after.filter(counts),
        )


@dataclass(frozen=True)
class CommitChange:
    """From one commit of a dataset to a later one; `found` is None where too much differs to say what."""

    spec: DatasetSpec
    earlier: HubCommit
    later: HubCommit
    found: Difference | None = field(repr=False)

    @property
    def rows(self) -> int:
        """Rows it holds in memory."""
        found = self.found
        return (
            0
            if found is None
            else sum(frame.height for frame in (found.added, found.removed, found.before, found.after))
        )

    def text(self, interest: Interest) -> bytes | None:
        """The change as JSON, shaped as `/api/hub/diff` answers; None if nothing of interest changed."""
        if self.found is None:
            return msgspec.json.encode(self.restart("too much changed to say what"))
        if interest.is_everything:
            return self._everything
        part = interest.of(self.spec, self.found)
        if not (part.added.height or part.removed.height or part.after.height):
            return None
        return self._written(part)

    def restart(self, why: str) -> Restart:
        """Tells a follower to read anew, as what happened cannot be told."""
        return Restart(dataset=self.spec.name, revision=self.later.sha, reason=why)

    @cached_property
    def _everything(self) -> bytes:
        assert self.found is not None  # noqa: S101 - asked by `text` only
        return self._written(self.found)

    def _written(self, found: Difference) -> bytes:
        diff = write_diff(found, dataset=self.spec.name, earlier=self.earlier, later=self.later, limit=MOST_ROWS)
        return msgspec.json.encode(diff)


def change_between(earlier: Snapshot, later: Snapshot) -> CommitChange:
    """What changed from one commit to a later one of the same dataset."""
    try:
        found = difference(earlier, later)
    except DiffTooLarge:
        found = None
    return CommitChange(later.spec, earlier.commit, later.commit, found)


def known_names(snapshot: Snapshot) -> frozenset[str]:
    """What a follower may name of a dataset: pairs, or coins' ids and tickers. Blocks when files must be read."""
    names: set[str] = set().union(*snapshot.series.values())
    if "coin_id" in snapshot.spec.column_names:
        names.update(latest_rows(snapshot, max_age_ms=DEFAULT_MAX_AGE_S * 1000)["symbol"].drop_nulls())
    return frozenset(names)
