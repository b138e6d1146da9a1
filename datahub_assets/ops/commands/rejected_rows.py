"""What `datahub quarantine` prints: which rows failed their checks, and why."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import iso
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from datahub_assets.stores.cache import quarantine
from datahub_assets.stores.cache.cache import Cache

NEWEST: Final = 20
"""Rows of a dataset that are shown as upstream sent them."""
_HEADER: Final = ("last seen", "first seen", "lines", "dataset", "row of", "reason")


@dataclass(frozen=True, slots=True)
class Rejects:
    """The quarantine of some datasets.

    Attributes:
        datasets: their names.
        groups: its lines by subject and reason, those seen last first.
        newest: the lines seen last (as `quarantine.latest`, with `dataset`); None: not asked for.
    """

    datasets: tuple[str, ...]
    groups: tuple[quarantine.Group, ...]
    newest: tuple[dict[str, Any], ...] | None


def rejects(settings: Settings, specs: Sequence[DatasetSpec], *, raw: bool) -> Rejects:
    """Look into the quarantine; `raw`: also for what upstream sent.

    Raises:
        OpsError: there is no cache yet.        CacheError: it cannot be read.
    """
    if not settings.cache_path.is_file():  # to look is not to create
        raise OpsError(f"there is no cache yet: the first tick of `datahub up` makes {settings.cache_path}")
    with Cache.open(settings.cache_path) as cache:
        groups = [group for spec in specs for group in cache.quarantined(spec).groups()]
        newest = [
            {"dataset": spec.name, **line}
            for spec in (specs if raw else ())
            for line in cache.quarantined(spec).latest(limit=NEWEST)
        ]
    return Rejects(
        datasets=tuple(spec.name for spec in specs),
        groups=tuple(sorted(groups, key=lambda group: -group.last_seen)),
        newest=tuple(sorted(newest, key=lambda line: -line["last_seen"])) if raw else None,
    )


def as_json(found: Rejects) -> str:
    """One JSON document: `groups`, `newest` if asked for; times as ISO 8601 UTC, `raw` is text, as upstream sent it."""
    document = {"groups": [_with_moments(asdict(group)) for group in found.groups]}
    if found.newest is not None:
        document["newest"] = [_with_moments(line) for line in found.newest]
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_text(found: Rejects) -> str:
    """A line for each subject and reason, then what upstream sent."""
    if not found.groups:
        return f"the quarantine is empty: it holds no row of {', '.join(found.datasets)}"
    rows = [
        (
            iso(group.last_seen),
            iso(group.first_seen),
            f"{group.lines:,}",
            group.dataset,
            _printable(group.subject),
            _printable(group.reason),
        )
        for group in found.groups
    ]
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADER, *rows)
    ]
    for line in found.newest or ():
        lines += ["", f"{iso(line['last_seen'])}  {line['dataset']}  {_printable(line['subject'])}"]
        lines += [f"  {_printable(line['reason'])}", f"  {_printable(line['raw'])}"]
    return "\n".join(lines)


def _with_moments(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "first_seen": iso(line["first_seen"]), "last_seen": iso(line["last_seen"])}


def _printable(text: str) -> str:
    """Upstream's words, unable to move the cursor or to break the line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
