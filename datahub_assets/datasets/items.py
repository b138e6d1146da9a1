"""Items of an upstream, objects of its JSON, become rows of a dataset or are set aside with the reason."""

from collections.abc import Callable, Iterable, Mapping

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain import fields
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.fields import BadField
from datahub_assets.domain.rows import Checked, Rejected, frame_of
from datahub_assets.domain.tables import FETCHED
from datahub_assets.domain.times import YEAR_1_MS, YEAR_9999_MS

ReadRow = Callable[[Mapping[str, object], int], dict[str, object]]
"""Reads the columns of a row from an item, given the time of fetching; raises BadField for what it cannot use."""

Placed = Callable[[Mapping[str, object]], int | None]
"""Gives the place of an item in its series, as gaps are counted."""


def check_items(
    spec: DatasetSpec,
    items: Iterable[object],
    read: ReadRow,
    *,
    named: str,
    now_ms: int,
    placed: Placed | None = None,
) -> Checked:
    """Sort items into rows and rejected ones; each ends in one of the two, whatever it holds.

    An item is rejected for the first field that cannot be used, and where it says nothing of the key, of the time or of
    whether it is final, whatever `read` makes of that: one such row would keep all others from being stored. So it is
    where it is of a group the dataset does not have, or a time is of no calendar. Of two items with one key the later
    one counts.

    Args:
        items: as decoded from JSON.
        read: gives the columns of a row but `ingested_at`, which is the same for all; `provider` is the spec's where it
            gives none.
        named: the field of an item that says what it is of, for people who look at the rejected ones.
        now_ms: the time of fetching, epoch milliseconds UTC; becomes `ingested_at`.
        placed: gives the place of an item in its series, for a dataset with gaps; None where it says none.
    """
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    rejected: list[Rejected] = []
    for item in items:
        try:
            if not isinstance(item, Mapping):
                raise BadField(f"item is not an object but a {type(item).__name__}")  # noqa: TRY301 - as those of `read`
            row = {"provider": spec.provider, **read(item, now_ms), FETCHED: now_ms}
            _see_that_it_is_placed(spec, row)
        except BadField as reason:
            subject = item.get(named) if isinstance(item, Mapping) else None
            at = placed(item) if placed is not None and isinstance(item, Mapping) else None
            rejected.append(fields.rejected(spec, subject=subject, reason=reason, raw=item, at_ms=at))
        else:
            rows[tuple(row[name] for name in spec.key)] = row
    return Checked(frame_of(spec, list(rows.values())), tuple(rejected))


def _see_that_it_is_placed(spec: DatasetSpec, row: Mapping[str, object]) -> None:
    """A row that lacks what all have, of an unknown group or with a time of no calendar has no place in the files."""
    for name in spec.column_names:
        if name in spec.required or name == spec.final:
            fields.there(name, row.get(name))
    for column in spec.columns:
        time_ms = row.get(column.name)
        if column.kind is ColumnKind.TIME and isinstance(time_ms, int) and not YEAR_1_MS <= time_ms <= YEAR_9999_MS:
            raise BadField(f"{column.name} is in none of the years 1 to 9999: {fields.shown(time_ms)}")
    if spec.group is not None and row[spec.group] not in spec.groups:
        raise BadField(f"{spec.group} is none of {', '.join(spec.groups)}: {fields.shown(row[spec.group])}")
