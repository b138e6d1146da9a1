"""A request for rows in its normal form."""

import hashlib
from dataclasses import dataclass

import msgspec

from api.caching.revision_choice import RevisionChoice
from api.engine.selection.positions import Position
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach


class RowsRequest(msgspec.Struct, frozen=True, array_like=True):
    """A request for rows in its normal form; requests that mean the same are equal.

    Attributes:
        filters: the parameters given and their values as the columns spell them, both in order; none of a flag.
        start_ms, end_ms: rows of this time; without both, what the dataset calls its newest rows.
        max_age_s: of NewestOfEach, where it is not what the dataset says.
        after: the place of the last row of the page before.
        pinned: the commit a cursor goes on at.
    """

    dataset: str
    columns: tuple[str, ...]
    limit: int
    descending: bool
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    max_age_s: int | None = None
    after: Position | None = None
    pinned: str | None = None

    def digest(self) -> bytes:
        """Tells queries apart for cursors: a page's size and place do not count."""
        same = msgspec.structs.replace(self, limit=0, after=None, pinned=None)
        return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Asked:
    """All a caller asked: which rows, of which commit, in which format (None: as `Accept` says)."""

    rows: RowsRequest
    choice: RevisionChoice
    format: str | None
    numbers: str | None


def is_of_each(spec: DatasetSpec, *, start_ms: int | None, end_ms: int | None) -> bool:
    """Whether the newest row of each series is meant, and not rows in the order of time."""
    return isinstance(spec.newest, NewestOfEach) and start_ms is None and end_ms is None
