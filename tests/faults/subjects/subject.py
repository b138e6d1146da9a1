"""What a dataset says of itself to take part in the matrix.

Nothing is said by the product's own code: how an upstream's answer reads as a row is written down a second time.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from datahub_assets.datasets.spec import DatasetSpec
from tests.fakes.server import Answer, Request

if TYPE_CHECKING:
    from tests.faults.world import World

Key = tuple[object, ...]
Row = tuple[object, ...]
Told = Mapping[str, object]
"""A row as upstream told it: values by columns, times in epoch ms, lists as tuples."""

MOVED_KEYS = (
    *("DELETE FROM sealed_keys", "DELETE FROM sealed_files"),
    *("INSERT INTO sealed_files", "INSERT OR IGNORE INTO sealed_keys"),
)
"""What is written where a later version of a row may lie in another file."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole answer that an upstream gave, at a time of its clock; one that there is nothing (404) has no body."""

    path: str
    params: Mapping[str, str]
    body: bytes
    at_ms: int

    @classmethod
    def of(cls, request: Request, answer: Answer, *, at_ms: int) -> "Heard | None":
        """None where no whole answer with one of these two statuses was given."""
        if answer.status not in {200, 404} or answer.dropped or answer.sent_bytes is not None:
            return None
        return cls(request.path, request.params, answer.body if answer.status == 200 else b"", at_ms)

    @property
    def value(self) -> Any:
        """The body as JSON; None where it is none."""
        with suppress(ValueError):
            return json.loads(self.body)
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """Requests a tick makes, for a fault to meet: of which upstream of the world, and which of them."""

    upstream: str
    path: str = ""
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A dataset in the matrix: when a tick of it is killed, when its upstream fails, and what must be there after all.

    Attributes:
        clients: the modules that ask; their waiting is taken out.
        hears: the upstreams it asks, by their names in the world.
        answers: the last words of the paths it asks, or the methods it calls, as points of a tick are called by.
        writes: what its tick of the roll does to disk, cache and Hub beside what all do.
        steps: its requests, by what they are for. Datasets that make the same ones call them the same.
        told: the rows that one upstream told by these answers.
        now: the rows that must be there, and the columns that must say so, given the keys that landed.
        said: columns that are upstream's to say; a row on the Hub says what upstream said of the same `named`.
        named: what a row is about: the key, or what of it is upstream's to say. Of rows about one thing the newest
            counts as what is said now.
        lasting: columns that stay as they were told first.
        only_new: a row is told only where it says something else than the one before about the same.
        changes: what upstream comes up with by the time of the roll.
        has_sealed: at the roll there is a sealed file that rows are merged into.
    """

    spec: DatasetSpec
    clients: tuple[ModuleType, ...]
    hears: tuple[str, ...]
    answers: tuple[str, ...]
    writes: tuple[str, ...] = ()
    steps: Mapping[str, Step]
    told: Callable[[Sequence[Heard]], Iterator[Told]]
    now: Callable[["World", frozenset[Key]], Iterator[Told]]
    said: tuple[str, ...]
    named: tuple[str, ...]
    lasting: tuple[str, ...] = ()
    only_new: bool = False
    changes: Callable[["World"], None] = lambda _: None
    has_sealed: bool = True

    def name_of(self, row: Told) -> Key:
        """What a row is about."""
        return tuple(row[name] for name in self.named)

    def content(self, row: Told) -> Row:
        """What it says of that."""
        return tuple(row[name] for name in self.said)

    def row(self, values: Row) -> dict[str, Any]:
        """A whole row by its columns."""
        return dict(zip(self.spec.column_names, values, strict=True))


def readable(make: Callable[..., Told], *values: Any, **options: Any) -> Iterator[Told]:
    """The row that is made of these values; none where they are no such."""
    with suppress(KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration):
        yield make(*values, **options)


def without(spec: DatasetSpec, *names: str) -> tuple[str, ...]:
    """The columns of a dataset but these, and but when a row was fetched: that is not the upstream's to say."""
    return tuple(name for name in spec.column_names if name not in {*names, "ingested_at"})
