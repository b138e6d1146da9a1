"""The shapes of answers about commits, differences and coverage."""

from functools import cache
from typing import Annotated, Any

import msgspec

from datahub_assets.datasets.registry import DATASETS


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
    """Rows that should exist and do not (or did not, if healed): which, by their times or by their numbers."""

    first_time: str | None
    last_time: str | None
    first_number: int | None
    last_number: int | None
    missing: int
    cause: str | None
    first_seen: str | None
    asked_at: str | None
    asks: int | None
    healed_at: str | None


@cache
def series_info(groups: tuple[str, ...]) -> type[msgspec.Struct]:
    """The shape of what is told of one series; its group stands under the name of its column, which is one of these."""
    own: list[tuple[str, Any, Any]] = [(name, str | None | msgspec.UnsetType, msgspec.UNSET) for name in groups]
    return msgspec.defstruct(
        "SeriesInfo",
        [
            ("series", Annotated[str | None, _described("null for all rows of a dataset whose rows form no series")]),
            *own,
            ("rows", int),
            ("expected", Annotated[int | None, _described("`rows` and what is missing; null where rows have no grid")]),
            ("forming", Annotated[int, _described("rows that are not final yet")]),
            ("oldest", str | None),
            ("newest", str | None),
            ("gaps", list[Gap]),
        ],
        module=__name__,
        frozen=True,
        kw_only=True,
    )


def _described(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


SeriesInfo = series_info(tuple(dict.fromkeys(spec.group for spec in DATASETS.values() if spec.group is not None)))
"""With the groups of all datasets there are."""


class Coverage(msgspec.Struct, frozen=True):
    """What a dataset covers at a commit; `missing` counts rows of gaps that are not healed."""

    dataset: str
    revision: str
    missing: int
    series: list[SeriesInfo]  # type: ignore[valid-type]
