"""What a source hands to its asset: checked rows, and how the fetching went."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from datahub_assets.domain.errors import SourceError
from datahub_assets.domain.rows import Checked, Rejected

_LINES_LIMIT: Final = 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of asking one upstream once.

    Attributes:
        checked: good rows in the spec's schema, and the rejected ones.
        requests: HTTP requests made.
        elapsed_s: how long it took.
        failed: what could not be fetched and why, by the words that name it: a series, or ("page", "2"). The rows of
            everything else are in `checked`.
        pause_until_ms: the upstream wants no request before this time (epoch ms); None when it said no such thing.
            Hand it to the next fetch as `not_before_ms`, also across processes: asking during a ban prolongs it.
        rechecked: series whose earlier rows were asked for again, since upstream may have corrected them; of those that
            are not in `failed` they have come. It is remembered until the next fetch.
        warnings: what somebody has to mend or should know, one line each, such as a name the upstream does not know.
            The check, the log and `datahub status` tell it from the first fetch on.
        notes: what the next fetch is to know, by name, anything JSON can hold. It is kept once the rows have landed.
    """

    checked: Checked
    requests: int
    elapsed_s: float
    failed: Mapping[tuple[str, ...], SourceError] = field(default_factory=dict)
    pause_until_ms: int | None = None
    rechecked: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)


def report_rejected(rejected: Sequence[Rejected], *, log: logging.Logger) -> None:
    """One line per rejected row, the first few of them: all are in the quarantine anyway."""
    for one in rejected[:_LINES_LIMIT]:
        log.warning("set aside a row of %s: %s", one.subject, one.reason)
    if len(rejected) > _LINES_LIMIT:
        log.warning("set aside %d more rows", len(rejected) - _LINES_LIMIT)


def report_warnings(warnings: Iterable[str], *, log: logging.Logger) -> None:
    """A line for each, marked as what does not pass by itself."""
    for warning in warnings:
        log.warning("%s", warning, extra={"stands": True})


def report_failed(failed: Mapping[tuple[str, ...], SourceError], *, log: logging.Logger) -> None:
    """One line per thing that could not be fetched, the first few of them."""
    for named, error in list(failed.items())[:_LINES_LIMIT]:
        log.warning("%s: %s", " ".join(named), error)
    if len(failed) > _LINES_LIMIT:
        log.warning("%d more could not be fetched", len(failed) - _LINES_LIMIT)
