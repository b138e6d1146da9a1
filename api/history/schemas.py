"""The shapes of answers about commits, differences and coverage."""

from typing import Any

import msgspec


class RevisionInfo(msgspec.Struct, frozen=True):
    """A commit of a dataset."""

    revision: str
    at: str | None
    title: str
    refs: list[str]


class Revisions(msgspec.Struct, frozen=True):
    """Commits of a dataset, newest first, and its branches and tags."""

    dataset: str
    repo: str
    commits: int
    refs: dict[str, str]
    revisions: list[RevisionInfo]


class RevisionAt(msgspec.Struct, frozen=True):
    """A commit and its time."""

    revision: str
    at: str | None


class DiffCounts(msgspec.Struct, frozen=True):
    """How many rows differ in which way; complete even where the rows are not."""

    added: int
    changed: int
    removed: int


class Change(msgspec.Struct, frozen=True):
    """A row whose values differ: as it was and as it is."""

    before: dict[str, Any]
    after: dict[str, Any]


class Diff(msgspec.Struct, frozen=True, rename={"earlier": "from", "later": "to"}):
    """What changed in a dataset between two commits."""

    dataset: str
    earlier: RevisionAt
    later: RevisionAt
    counts: DiffCounts
    truncated: bool
    """Whether rows were left out because of `limit`."""
    added: list[dict[str, Any]]
    changed: list[Change]
    removed: list[dict[str, Any]]


class Gap(msgspec.Struct, frozen=True):
    """Candles that should exist and do not (or did not, if healed)."""

    first_time: str
    last_time: str | None
    candles: int
    cause: str | None
    first_seen: str | None
    asked_at: str | None
    asks: int | None
    healed_at: str | None


class SeriesInfo(msgspec.Struct, frozen=True):
    """What a dataset holds of one series: a pair's candles of one interval, or a coin's prices.

    `expected` counts the candles that should be there, those of open gaps included; null for prices, which come when
    they come.
    """

    series: str
    interval: str | None
    rows: int
    expected: int | None
    forming: int
    oldest: str | None
    newest: str | None
    gaps: list[Gap]


class Coverage(msgspec.Struct, frozen=True):
    """What a dataset covers at a commit; `missing` counts candles of gaps that are not healed."""

    dataset: str
    revision: str
    missing: int
    series: list[SeriesInfo]
