"""What only an old cache knows, brought into the one that takes its place: each part for itself, as far as it is read.

What the Hub knows comes from there; see `rebuild`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheError
from datahub_assets.domain.rows import Checked
from datahub_assets.domain.sql_names import quoted
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.cache.transfer import COMMITS, FACTS, NOTES, QUARANTINE, RECHECKS, Carried, Line
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.landing import land
from datahub_assets.stores.publish import losses
from datahub_assets.stores.recovery import inherited_gaps

T = TypeVar("T")


def carry_over(
    path: Path, specs: Sequence[DatasetSpec], *, cache: Cache, hub: Hub, landing: Path, now_ms: int, log: logging.Logger
) -> None:
    """Bring over what the cache at `path` tells and the Hub does not; what cannot be read is named in the log.

    Rows that the Hub does not hold are landed, for the next tick to take. The quarantine, the commits of the past (the
    budget), what the Hub's refusals taught, pauses of upstreams, what is known of gaps, corrections, and rows that the
    Hub lost are in the new cache afterwards. The old file is only read.

    Raises:
        CacheError: the new cache or a landing file cannot be written.
    """
    try:
        old = Cache.open(path)
    except CacheError as error:
        log.warning(
            "nothing can be saved of the old cache (%s): rows that waited for a commit, the quarantine, the commits of "
            "the past hour and known losses are gone with it",
            _cause(error),
        )
        return
    with old:
        salvage = _Salvage(old=old, cache=cache, hub=hub, landing=landing, now_ms=now_ms, log=log)
        salvage.facts()
        salvage.quarantine()
        for spec in specs:
            salvage.shrinkage(spec)
            salvage.gaps(spec)
            salvage.corrections(spec)
            salvage.rows(spec)


@dataclass(frozen=True, kw_only=True)
class _Salvage:
    """The old cache and what takes its place."""

    old: Cache
    cache: Cache
    hub: Hub
    landing: Path
    now_ms: int
    log: logging.Logger

    def facts(self) -> None:
        """Commits, what was learned of the Hub, notes, and when series were asked for again."""
        self.cache.take_in(COMMITS, self._lines("the commits of the past hour", COMMITS))
        self.cache.take_in(FACTS, self._lines("what the Hub's refusals taught", FACTS))
        self.cache.take_in(RECHECKS, self._lines("when series were asked for again", RECHECKS))
        # Whose gaps are open is looked for anew: the ledger was read anew.
        notes = self._lines("pauses and known losses", NOTES)
        self.cache.take_in(NOTES, [note for note in notes if note[1] != inherited_gaps.NOTE])

    def quarantine(self) -> None:
        """All its lines."""
        self.cache.take_in(QUARANTINE, self._lines("the quarantine", QUARANTINE))

    def shrinkage(self, spec: DatasetSpec) -> None:
        """By how much the repo shrank since the old cache last saw it."""
        known = self._read(f"what {spec.name} was on the Hub", self.old.repo(spec).load)
        if known is None or known.repo != self.hub.repo_url(spec):
            return
        seen = self.cache.repo(spec).load() or replace(known, rows=0, files={})
        losses.note_lost(spec, known=known, seen=_counted(seen), cache=self.cache)

    def gaps(self, spec: DatasetSpec) -> None:
        """What is known of open gaps and was not published yet, such as what upstream answered."""
        told = self._read(f"gaps of {spec.name}", self.old.gaps(spec).coverages) or {}
        known = {series: coverage.gaps for series, coverage in told.items()}
        with self.cache.transaction():
            self.cache.gaps(spec).inform(known, version=self.cache.next_version(), now_ms=self.now_ms)

    def corrections(self, spec: DatasetSpec) -> None:
        """The lines of the ledger that the Hub does not have."""
        ledger = corrections_of(spec)
        if ledger is None:
            return
        lines = self._read(f"corrections of {spec.name}", self.old.table(ledger).read)
        if lines is not None:
            self.cache.corrections(spec).add(lines)

    def rows(self, spec: DatasetSpec) -> None:
        """Those that waited for a commit, and those that a commit carried and the Hub has no more."""
        waiting = self._read(f"rows of {spec.name} that waited", lambda: self.old.unpublished(spec).frame)
        if waiting is not None and not waiting.is_empty():
            land(self.landing, spec, Checked(waiting, ()), now_ms=self.now_ms)
            self.log.info(
                "%s: %s rows that waited for a commit go out with the next tick", spec.name, f"{waiting.height:,}"
            )
        oldest = self.now_ms - spec.retention_ms
        where = f"commit_id IS NOT NULL AND {quoted(spec.time)} >= ?"
        carried = self._read(
            f"rows of {spec.name} that the Hub may have lost",
            lambda: self.old.table(spec).read(where, (oldest,)),
        )
        if carried is None:
            return
        held = self.cache.table(spec).read().select(spec.key)
        lost = carried.join(held, on=list(spec.key), how="anti")
        if not lost.is_empty():
            land(self.landing, spec, Checked(lost, ()), now_ms=self.now_ms)
            self.log.warning(
                "%s: %s rows that the Hub has no more go there again with the next tick", spec.name, f"{lost.height:,}"
            )

    def _lines(self, what: str, carried: Carried) -> list[Line]:
        return self._read(what, lambda: self.old.lines(carried)) or []

    def _read(self, what: str, read: Callable[[], T]) -> T | None:
        """What the old cache says; None and a line in the log where it is damaged."""
        try:
            return read()
        except CacheError as error:
            self.log.warning("the old cache is damaged: %s could not be saved (%s)", what, _cause(error))
            return None


def _counted(seen: RepoState) -> RepoState:
    """With a number of rows, so that a repo that was emptied counts as one that shrank."""
    return seen if seen.rows is not None else replace(seen, rows=0)


def _cause(error: CacheError) -> str:
    """What SQLite said; our own words would advise to do what is being done."""
    return str(error.__cause__ or error)
