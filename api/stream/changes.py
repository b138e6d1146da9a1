"""What a commit changed: computed once, and written for each subscriber as far as it asked for it."""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgspec
import polars as pl

from api.engine.hub.reader import HubCommit
from api.engine.snapshot import Snapshot
from api.history.differences import Difference, difference
from api.history.narrowing import Narrowing, rows_meant
from api.history.service import write_diff
from api.http.errors import DiffTooLarge
from api.stream.schemas import Restart
from datahub_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 10_000
"""Most rows of each kind in an event; `/api/hub/diff` has the rest."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What a follower wants to hear of: datasets, and of those which rows; all of a dataset that is not narrowed."""

    datasets: tuple[str, ...]
    narrowing: Narrowing = field(default_factory=Narrowing)

    def of(self, spec: DatasetSpec, found: Difference) -> Difference:
        """The part of a difference that counts; the difference itself where all of it does."""
        conditions = rows_meant(spec, self.narrowing)
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
    written: "dict[Interest, asyncio.Task[bytes | None]]" = field(default_factory=dict, repr=False)
    """What is being written now."""

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
        part = interest.of(self.spec, self.found)
        if part is self.found:
            return self._everything
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
