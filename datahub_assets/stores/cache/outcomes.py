"""What became of rows that went into the cache, and of those that left it."""

from dataclasses import dataclass, field
from pathlib import Path

from datahub_assets.stores.cache.quarantine import Dropped


@dataclass(frozen=True, slots=True)
class Upserted:
    """How many rows were new, changed, or said the same as before."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "Upserted") -> "Upserted":
        return Upserted(self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the landing files: counts over all of them, and the damaged ones that were set aside."""

    files: int = 0
    upserted: Upserted = field(default_factory=Upserted)
    quarantined: int = 0
    set_aside: tuple[Path, ...] = ()

    def __add__(self, other: "Drained") -> "Drained":
        return Drained(
            self.files + other.files,
            self.upserted + other.upserted,
            self.quarantined + other.quarantined,
            self.set_aside + other.set_aside,
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """What left the cache: published rows past their retention, and lines of the quarantine."""

    rows: int = 0
    lines: Dropped = field(default_factory=Dropped)
