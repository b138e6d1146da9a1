"""The head of a repo as workers see it, who share no cache: its files, and which months are over for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.files.data_files import OPEN_NAME, is_placed, is_small
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.history import Month
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.hub.client import Hub


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
