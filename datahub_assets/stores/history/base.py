"""The head of a repo as workers see it, who share no cache: its files, and which months are over for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.files.data_files import OPEN_NAME, files_between, is_placed, is_small, sealed_file
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.history import Month, TimeRange
from datahub_assets.domain.tables import Period
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.hub.client import Hub

MOST_SPLIT: Final = 31
"""A file is split into so many at most, which one commit takes; a year is 12 months."""


@dataclass(frozen=True, slots=True)
class Base:
    """A commit that a month is built on.

    Attributes:
        window_start: first millisecond of the live window its files are laid out for.
    """

    head: str
    files: Mapping[str, HubFile]
    window_start: int

    def has_rolled(self, spec: DatasetSpec, *, group: str, month: Month) -> bool:
        """Whether all final rows of the month lie in sealed files, so that the live chain moves none of them."""
        return month.end_ms <= spec.period_of(group).start(self.window_start)

    def span(self, spec: DatasetSpec, *, group: str, month: Month) -> TimeRange:
        """The time whose files are written anew together when the month is: longer where a file has other rows too.

        Such a file is of an earlier layout. It is split wholly, unless that made more files than `MOST_SPLIT`, or some
        of its rows may still be the live chain's: then it gives up its rows of the month only.
        """
        span, period = month.span, spec.period_of(group)
        for path in files_between(spec, self.files, group=group, first_ms=span.first_ms, last_ms=span.last_ms):
            file = sealed_file(spec, path)
            if file is None or (file.first >= month.start_ms and file.last < month.end_ms):
                continue
            starts = period_starts(period, TimeRange(file.first, file.last))
            if len(starts) <= MOST_SPLIT and file.last < period.start(self.window_start):
                span = TimeRange(min(span.first_ms, file.first), max(span.last_ms, file.last))
        return span

    def is_shared(self, spec: DatasetSpec, *, group: str, month: Month) -> bool:
        """Whether a file has rows of the month and of others, so that those cannot be built side by side."""
        found = files_between(spec, self.files, group=group, first_ms=month.start_ms, last_ms=month.end_ms - 1)
        files = [file for file in (sealed_file(spec, path) for path in found) if file is not None]
        return any(file.first < month.start_ms or file.last >= month.end_ms for file in files)


def period_starts(period: Period, span: TimeRange) -> list[int]:
    """When each period of a time begins (epoch ms)."""
    starts = [span.first_ms]
    while (following := period.end(starts[-1])) <= span.last_ms:
        starts.append(following)
    return starts


def look(spec: DatasetSpec, *, hub: Hub, now_ms: int) -> Base:
    """The repo as it is now, created if there is none. Where nothing says how far its live window is, the clock does.

    Raises:
        HubError: it could not be read, or created.
    """
    try:
        head = hub.head(spec)
    except HubNotFound:
        hub.create(spec)
        head = hub.head(spec)
    files = hub.files(spec, revision=head)
    told = card.read_summary(hub.read(spec, card.CARD_PATH, revision=head)) if card.CARD_PATH in files else None
    is_live = any(is_small(spec, path) for path in files)
    reached = 0 if told is None else told.window_start
    if not is_live and (reached or not any(is_placed(spec, path) for path in files)):
        reached = max(reached, spec.window_start(now_ms))  # nobody's live rows are in the way
    return Base(head, files, reached)


def forming_rows(spec: DatasetSpec, base: Base, *, group: str, month: Month, hub: Hub) -> pl.DataFrame:
    """The rows of the month that are not final at the head, as of a series that nobody follows any more."""
    names = {path for path in base.files if is_small(spec, path) and path.endswith(f"/{OPEN_NAME}")}
    frames = [
        layout.read(spec, hub.read(spec, path, revision=base.head), name=f"{path} at {base.head}")
        for path in sorted(names)
    ]
    rows = pl.concat([pl.DataFrame(schema=spec.polars_schema()), *frames])
    mine = pl.lit(value=True) if spec.group is None else pl.col(spec.group) == group
    return rows.filter(mine, spec.time_ms().is_between(month.start_ms, month.end_ms - 1))
