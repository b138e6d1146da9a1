"""Which commit a caller asks for: a revision, a time, or the current one."""

import re
from typing import Final

import msgspec

from api.http.errors import InvalidParameter
from api.http.parameters import (
    AsOf,
    Revision,
)
from api.http.times import parse_time
from datahub_assets.domain.hub_files import FULL_SHA

_MOST_REVISION: Final = 1000
"""What the Hub does not know is remembered by its name."""


_FULL_NAME: Final = re.compile(rf"(?:[a-z_]+@)?{FULL_SHA.pattern}")


class RevisionChoice(msgspec.Struct, frozen=True, array_like=True):
    """Which commit: a revision, or a time; the current one when both are None."""

    revision: str | None = None
    as_of_ms: int | None = None

    @property
    def is_immutable(self) -> bool:
        """Whether a commit is named in full (`<sha>` or `ohlc@<sha>`), so that the choice never means another."""
        return self.revision is not None and _FULL_NAME.fullmatch(self.revision) is not None

    @property
    def is_current(self) -> bool:
        """Whether the newest commit is meant."""
        return self.revision in {None, "main"} and self.as_of_ms is None


def choose_revision(revision: Revision = None, as_of: AsOf = None) -> RevisionChoice:
    """The commit a request means. Raises as `revision_or_time`."""
    return revision_or_time(revision, as_of, names=("revision", "as_of"))


def revision_or_time(revision: str | None, as_of: str | None, *, names: tuple[str, str]) -> RevisionChoice:
    """The commit that two parameters mean, of which one at most may be given; `names` are theirs.

    Raises:
        InvalidParameter: both are given, one is too long, or the time cannot be read.
    """
    if revision is not None and len(revision) > _MOST_REVISION:
        raise InvalidParameter.of(names[0], revision, valid=f"at most {_MOST_REVISION} characters")
    if revision is not None and as_of is not None:
        raise InvalidParameter.of(names[1], as_of, valid=f"either {names[0]} or {names[1]}, not both")
    return RevisionChoice(revision=revision, as_of_ms=parse_time(names[1], as_of))
