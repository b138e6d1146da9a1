"""What a DatasetSpec has to be, seen when it is made: everything that would fail later, or be misunderstood."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from datahub_assets.datasets import answer_checks, table_checks
from datahub_assets.datasets.settings_base import DatasetSettings, variables_of
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.domain.times import DAY_MS

if TYPE_CHECKING:
    from datahub_assets.datasets.spec import DatasetSpec, GapRule

_REPO: Final = re.compile(r"(?!.*(?:--|\.\.|\.git$))[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")
_TERMS: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_LONGEST_MS: Final = 100 * 366 * DAY_MS
"""A hundred years: what is longer is no time that can be added to one, and most likely of another unit."""


def check(spec: "DatasetSpec") -> None:
    """Look for faults in a spec.

    Raises:
        DatasetInvalid: one line per fault: which dataset, what is wrong, and what would be right.
    """
    faults = [*table_checks.names(spec)]
    if not faults:  # what follows looks columns up by their names
        faults = [*table_checks.shape(spec), *answer_checks.answers(spec)]
        faults += [*_texts(spec), *_ages(spec), *_ledgers(spec), *_history(spec), *_settings(spec)]
    if faults:
        raise DatasetInvalid("\n".join(f"dataset {spec.name!r}: {fault}" for fault in faults))


def _texts(spec: "DatasetSpec") -> Iterator[str]:
    for what in ("title", "summary", "answer"):
        if not getattr(spec, what).strip():
            yield f"{what} must say something: people read it on the card and in the API's documentation"
    if "\n" in spec.title or any("\n" in tag or not tag.strip() for tag in spec.tags):
        yield "the title and each of the tags must be on one line, and a tag not empty"
    if not _REPO.fullmatch(spec.repo_name):
        yield f"repo_name={spec.repo_name!r} must be lower-case letters, digits, and single . _ - inside"
    if not _PROVIDER.fullmatch(spec.provider):
        yield f"provider={spec.provider!r} must be letters, digits, and . _ - inside"
    for what, url in (("source_url", spec.source_url), ("the licence's url", spec.licence.url)):
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            yield f"{what}={url!r} must be an http:// or https:// URL"
    for what, word in (("id", spec.licence.id), ("name", spec.licence.name)):
        if not _TERMS.fullmatch(word):
            yield f"the licence's {what}={word!r} must be lower-case letters, digits, and . - inside"


def _ages(spec: "DatasetSpec") -> Iterator[str]:
    if not 0 < spec.stale_warn_ms < spec.stale_fail_ms:
        yield "stale_warn_ms must be above 0, and stale_fail_ms longer than it"
    seconds = max(spec.tick_s, spec.publish_interval_s)
    if max(spec.stale_fail_ms, spec.retention_ms, spec.ahead_ms, 1000 * seconds) > _LONGEST_MS:
        yield (
            "stale_fail_ms, retention_ms, ahead_ms, tick_s and publish_interval_s must be shorter than a hundred years"
        )
    if min(spec.ahead_ms, spec.tick_s, spec.publish_interval_s) < 0:
        yield "ahead_ms, tick_s and publish_interval_s must be 0 or more"


def _ledgers(spec: "DatasetSpec") -> Iterator[str]:
    if spec.corrections is not None and not spec.corrections.noticed.strip():
        yield "corrections must say which changes are noticed"
    if spec.gaps is None:
        return
    if not spec.gaps.noun.strip():
        yield "gaps must say what the missing rows are called"
    if hasattr(spec.gaps, "column"):
        yield from _number_gaps(spec, spec.gaps.column)
    else:
        yield from _time_gaps(spec, spec.gaps)


def _number_gaps(spec: "DatasetSpec", column: str) -> Iterator[str]:
    counts = column in spec.by_name and spec.column(column).kind is ColumnKind.COUNT
    if spec.series is None or spec.final is None or set(spec.key) != {*spec.series_columns, column} or not counts:
        yield (
            "gaps by number are of series that have a final row for every number: series, final, and no more in the "
            f"key than the series and {column!r}, a column of whole numbers"
        )


def _time_gaps(spec: "DatasetSpec", rule: "GapRule") -> Iterator[str]:
    if spec.series is None or spec.final is None or spec.time not in spec.key:
        yield "gaps are of series that have a final row at each step of time: series, final, and time in the key"
        return
    series = tuple(str(spec.column(name).example) for name in spec.series_columns)
    try:
        step_ms = rule.step_ms(series)
    except Exception as error:  # noqa: BLE001 - somebody else's function
        yield f"the gap rule fails for the series {' '.join(series)}: {type(error).__name__}: {error}"
    else:
        if not isinstance(step_ms, int) or not 1 <= step_ms <= _LONGEST_MS:
            named = " ".join(series)
            yield f"the gap rule gives {step_ms} as the step of the series {named}: it must be whole ms, 1 or more"


def _history(spec: "DatasetSpec") -> Iterator[str]:
    if spec.history is None:
        return
    try:
        moment = datetime.fromisoformat(spec.history.since)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        yield f"history.since={spec.history.since!r} must be an ISO 8601 time with its zone"
    if not spec.history.fetched.strip():
        yield "history must say what of it is fetched"


def _settings(spec: "DatasetSpec") -> Iterator[str]:
    if not isinstance(spec.settings, type) or not issubclass(spec.settings, DatasetSettings):
        yield f"settings={spec.settings!r} must be a kind of DatasetSettings"
        return
    for name, field in spec.settings.model_fields.items():
        variables = variables_of(field)
        if not variables or any(not _VARIABLE.fullmatch(variable) for variable in variables):
            yield f'the setting {name!r} must name its variable in upper case: validation_alias=env("MY_VARIABLE")'
        if field.is_required():
            yield f"the setting {name!r} must have a default: a hub starts without any setting"
        if not (field.description or "").strip():
            yield f"the setting {name!r} must say what it means, in its description"
