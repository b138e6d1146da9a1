"""A spec that would fail later, or be misunderstood, is refused when it is made; the message says which and why."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from datahub_assets.datasets.filters import Filter, Spelling, Unknown
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.datasets.spec import (
    CorrectionRule,
    DatasetSpec,
    GapRule,
    History,
    Licence,
    NewestOfEach,
    NumberGapRule,
    RowRule,
)
from datahub_assets.domain.columns import Column
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.domain.tables import ByRange, ByTime, Period
from datahub_assets.domain.times import DAY_MS, MINUTE_MS
from datahub_assets.ops.supervise import environment
from datahub_assets.settings import Settings
from tests.datasets.foreign import INCIDENTS, RECEIPTS

ROOT = Path(__file__).parents[2]
QUIET = {**os.environ, **environment.build(Settings.from_env({}), {}).forking}
GROUPED = replace(
    INCIDENTS,
    name="grouped",
    key=("incident_id", "severity"),
    group="severity",
    groups=("minor", "major"),
)


def columns(spec: DatasetSpec, name: str, **changes: Any) -> tuple[Column, ...]:
    """The columns with one of them changed; a column of a new name is added."""
    if name not in spec.column_names:
        return (*spec.columns, replace(spec.columns[-1], name=name, **changes))
    return tuple(replace(one, **changes) if one.name == name else one for one in spec.columns)


def filters(spec: DatasetSpec, parameter: str, **changes: Any) -> tuple[Filter, ...]:
    """The filters with one of them changed."""
    return tuple(replace(one, **changes) if one.parameter == parameter else one for one in spec.filters)


def without(spec: DatasetSpec, name: str) -> tuple[Column, ...]:
    return tuple(one for one in spec.columns if one.name != name)


def refused(spec: DatasetSpec, **changes: Any) -> list[str]:
    """The lines a changed spec is refused with."""
    with pytest.raises(DatasetInvalid) as caught:
        replace(spec, **changes)
    lines = str(caught.value).splitlines()
    name = changes.get("name", spec.name)
    assert all(line.startswith(f"dataset {name!r}: ") for line in lines)
    return [line.removeprefix(f"dataset {name!r}: ") for line in lines]


@pytest.mark.parametrize("spec", [*DATASETS.values(), INCIDENTS, RECEIPTS, GROUPED], ids=lambda spec: str(spec.name))
def test_what_is_right_is_made(spec: DatasetSpec) -> None:
    assert replace(spec) == spec


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "Incidents"}, r"name='Incidents' must be lower-case"),
        ({"name": "class"}, r"name='class' must be .* no word of Python"),
        ({"name": "x" * 41}, r"must be lower-case letters"),
        ({"name": "status"}, r"the name 'status' means something else already: .*stream.* are taken"),
        ({"name": "table"}, r"the name 'table' is a word of SQL"),
        ({"source_asset": "my asset"}, r"source_asset='my asset' must be"),
        ({"source_asset": "context"}, r"source_asset='context' means something in Dagster already"),
        ({"hub_asset": ""}, r"hub_asset='' must be"),
        ({"cache_table": "quarantine"}, r"cache_table='quarantine' is a table of the cache's own; call it cached_"),
        ({"cache_table": "sqlite_stat"}, r"cache_table='sqlite_stat' is a table of the cache's own"),
        ({"columns": (*INCIDENTS.columns, INCIDENTS.columns[0])}, r"columns: incident_id come more than once"),
        ({"key": ("incident_id", "incident_id")}, r"key: incident_id come more than once"),
        ({"key": ("colour",)}, r"key names colour, which is no column"),
        ({"default_columns": ("colour", "size")}, r"default_columns names colour, size, which is no column"),
        ({"time": "noticed_at"}, r"time names noticed_at, which is no column"),
        ({"series": "colour"}, r"series names colour"),
        ({"group": "colour", "groups": ("red",)}, r"group names colour"),
        ({"final": "done"}, r"final names done"),
        ({"partitioning": ByRange("number", 10)}, r"partitioning names number"),
        ({"series": "severity", "group": "severity", "groups": ("minor",)}, r"severity is named more than once"),
        ({"columns": columns(INCIDENTS, "Size")}, r"the column 'Size' must be lower-case"),
        ({"columns": columns(INCIDENTS, "version")}, r"the column 'version' means something in the cache already"),
        ({"columns": columns(INCIDENTS, "order")}, r"the column 'order' is a word of SQL"),
        ({"name": "left"}, r"the name 'left' is a word of SQL"),
    ],
)
def test_names(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(INCIDENTS, **changes))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"columns": without(INCIDENTS, "provider")}, r"it must have a column 'provider' of kind text"),
        ({"columns": without(INCIDENTS, "ingested_at")}, r"it must have a column 'ingested_at' of kind time"),
        ({"time": "headline"}, r"the time column 'headline' must be of kind time"),
        ({"time": "ingested_at"}, r"the time column 'ingested_at' must be .* not the time of fetching"),
        ({"final": "headline"}, r"the final column 'headline' must be of kind flag"),
        ({"key": ()}, r"the key must name columns that identify a row"),
        ({"key": ("incident_id", "ingested_at")}, r"'ingested_at' is none of them"),
        ({"key": ("services",)}, r"the column 'services' is of the key, so it must be of kind count, text, time"),
        ({"columns": columns(INCIDENTS, "headline", doc=" ")}, r"the column 'headline' must say what it means"),
        ({"columns": columns(INCIDENTS, "headline", doc="this | that")}, r"on one line and without \|"),
        ({"columns": columns(INCIDENTS, "incident_id", example=None)}, r"'incident_id' must have an example"),
        ({"columns": columns(INCIDENTS, "incident_id", example=7)}, r"has the example 7, which is no text"),
        ({"columns": columns(INCIDENTS, "services", example=("a", 1))}, r"which is no texts within"),
        ({"columns": columns(INCIDENTS, "affected", example=True)}, r"has the example True, which is no count"),
        ({"columns": columns(INCIDENTS, "affected", example=1.5)}, r"has the example 1.5, which is no count"),
        ({"columns": columns(INCIDENTS, "affected", example=-1)}, r"-1, which is no count within its bounds"),
        ({"columns": columns(INCIDENTS, "affected", example=12, above=12)}, r"12, which is no count within its bounds"),
        ({"columns": columns(INCIDENTS, "timestamp", example="2025-11-25T10:30:00")}, r"which is no time"),
        ({"columns": columns(INCIDENTS, "headline", at_least=0)}, r"has bounds, which only numbers"),
        ({"rules": (RowRule(("affected",), at_least="colour"),)}, r"affected below colour' is of colour, which is no"),
        ({"rules": (RowRule(("affected",)),)}, r"each rule must name columns, and one that bounds them"),
        ({"rules": (RowRule(("affected",), at_most="headline"),)}, r"compares columns of several kinds"),
        ({"history": History("2017-08-17", "All.")}, r"history.since='2017-08-17' must be an ISO 8601 time with its"),
        ({"history": History("long ago", "All.")}, r"history.since='long ago' must be an ISO 8601 time"),
        ({"history": History("2017-08-17T04:00:00Z", " ")}, r"history must say what of it is fetched"),
        ({"retention_ms": DAY_MS}, r"retention_ms must be longer than a day"),
        ({"series": "affected"}, r"'affected' names series or groups, so it must be of kind text"),
        ({"groups": ("minor",)}, r"groups must list the values of the group, and only where there is one"),
        ({"partitioning": ByTime(Period.MONTH, (("minor", Period.DAY),))}, r"the groups minor, which there are not"),
        ({"partitioning": ByTime(Period.HOUR)}, r"is by day or by month, not by hour"),
        ({"partitioning": ByTime(Period.DAY, (("minor", Period.YEAR),))}, r"is by day or by month, not by year"),
        ({"partitioning": ByRange("affected", 10)}, r"needs a column of the key and a size of 1 or more"),
        ({"partitioning": ByRange("incident_id", 10)}, r"of kind count, 'incident_id' is none"),
    ],
)
def test_columns_rules_and_files(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(INCIDENTS, **changes))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"groups": ()}, r"groups must list the values"),
        ({"key": ("incident_id",)}, r"the group 'severity' must be of the key"),
        ({"groups": ("minor", "live")}, r"the groups live cannot name a folder"),
        ({"groups": ("minor", "gaps")}, r"the groups gaps cannot name a folder and a config"),
        ({"groups": ("minor", "../up")}, r"the groups ../up cannot name a folder"),
        ({"groups": ("minor", "minor")}, r"groups: minor come more than once"),
        ({"groups": ("grave", "major")}, r"the example of 'severity' must be one of the groups"),
        ({"filters": ()}, r"a filter must choose the group 'severity'"),
        ({"filters": filters(GROUPED, "severity", default="grave")}, r"'grave', which 'severity' cannot be"),
        ({"newest": NewestOfEach("affected", 60), "series": "headline"}, r"it must have series, and no groups"),
    ],
)
def test_groups(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(GROUPED, **changes))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"partitioning": ByRange("number", 0)}, r"a size of 1 or more"),
        ({"columns": columns(RECEIPTS, "number", at_least=None)}, r"'number' needs a bound, at_least=0"),
        ({"gaps": GapRule(lambda _: MINUTE_MS, "receipts")}, r"gaps are of series .* time in the key"),
    ],
)
def test_ranges_and_ledgers(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(RECEIPTS, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"gaps": NumberGapRule("amount", "receipts")},
        {"gaps": NumberGapRule("nonsense", "receipts")},
        {"key": ("register", "number", "stamped_at")},
        {"final": None},
    ],
)
def test_gaps_by_number(changes: dict[str, Any]) -> None:
    rule = NumberGapRule("number", "receipts")
    assert replace(RECEIPTS, gaps=rule).gaps == rule
    assert any("gaps by number are of series" in line for line in refused(RECEIPTS, **{"gaps": rule, **changes}))


def _fails(series: tuple[str, ...]) -> int:
    raise KeyError(series[0])


@pytest.mark.parametrize(
    ("step_ms", "fault"),
    [
        (_fails, r"the gap rule fails for the series north: KeyError: 'north'"),
        (lambda _: 0, r"the gap rule gives 0 as the step of the series north: it must be whole ms, 1 or more"),
        (lambda _: 0.5, r"gives 0.5 as the step"),
        (lambda _: None, r"gives None as the step"),
        (lambda _: 10**30, r"as the step of the series north: it must be whole ms"),
    ],
)
def test_steps_of_gaps(step_ms: Any, fault: str) -> None:
    lines = refused(RECEIPTS, key=("register", "number", "stamped_at"), gaps=GapRule(step_ms, "receipts"))
    assert any(re.search(fault, line) for line in lines)


def test_every_group_can_be_asked_for() -> None:
    (found,) = refused(GROUPED, groups=("minor", "Major"), filters=filters(GROUPED, "severity", example=()))
    assert re.search(r"'severity' spells values lower, so that nobody could ask for the groups Major", found)


FLAG = Filter(parameter="settled_only", column="settled", doc="only final ones")


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (Filter(parameter="Number", column="number", doc="x"), r"'Number' must be lower-case"),
        (Filter(parameter="limit", column="number", doc="x"), r"'limit' means the same for all datasets: .*cursor"),
        (Filter(parameter="symbol", column="register", doc="x"), r"'symbol' means what rows go by"),
        (Filter(parameter="one", column="number", doc=""), r"'one' must say what it means"),
        (Filter(parameter="one", column="colour", doc="x"), r"'one' means the column 'colour', which there is not"),
        (Filter(parameter="one", column="amount", doc="x"), r"'one' means 'amount', and only texts"),
        (Filter(parameter="one", column="stamped_at", doc="x"), r"'one' means 'stamped_at', and only texts"),
        (Filter(parameter="one", column="register", doc="x", required=True), r"'one' is required, so it must have an"),
        (
            Filter(parameter="one", column="register", doc="x", required=True, example=("a",), default="a"),
            r"'one' is required, so its default never counts",
        ),
        (replace(FLAG, required=True), r"'settled_only' is switched on or off, so it has no example"),
        (replace(FLAG, example=("true",)), r"'settled_only' is switched on or off"),
        (replace(FLAG, default="yes"), r"'settled_only' has the example or default 'yes', which 'settled' cannot be"),
        (
            Filter(parameter="one", column="number", doc="x", example=("many",)),
            r"'one' has .* 'many', which 'number' cannot be",
        ),
        (
            Filter(parameter="one", column="register", doc="x", default="North", spelling=Spelling.LOWER),
            r"'one' has .* 'North', which 'register' cannot be",
        ),
        (Filter(parameter="one", column="register", doc="x", newest=True), r"'one' looks up newest rows"),
        (Filter(parameter="one", column="number", doc="x", names_row=True), r"'one' names rows or series"),
        (
            Filter(parameter="one", column="provider", doc="x", unknown=Unknown("unknown_provider", "provider")),
            r"'one' tells unknown values, which only those of the series",
        ),
        (
            Filter(parameter="one", column="register", doc="x", unknown=Unknown("no_register", "register")),
            r"'one' has the code 'no_register', which must be like unknown_symbol",
        ),
        (
            Filter(parameter="one", column="register", doc="x", unknown=Unknown("unknown_dataset", "register")),
            r"'one' has the code 'unknown_dataset', which must be .* none of",
        ),
        (
            Filter(parameter="one", column="register", doc="x", unknown=Unknown("unknown_register", "")),
            r"'one' must say what an unknown value is called",
        ),
    ],
)
def test_filters(one: Filter, fault: str) -> None:
    assert any(re.search(f"the parameter {fault}", line) for line in refused(RECEIPTS, filters=(one,)))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"filters": (FLAG, FLAG)}, r"the parameters settled_only come more than once"),
        ({"default_columns": ("amount", "amount")}, r"default_columns: amount come more than once"),
        ({"default_limit": 0}, r"default_limit must be 1 to 50000"),
        ({"default_limit": 50_001}, r"default_limit must be 1 to 50000"),
        ({"series": None, "filters": (FLAG,), "newest": NewestOfEach("amount", 60)}, r"it must have series"),
        ({"newest": NewestOfEach("register", 60)}, r"`newest` ranks by 'register', which is no column of numbers"),
        ({"newest": NewestOfEach("amount", 0)}, r"`newest` must have a max_age_s of 1 to"),
        ({"newest": NewestOfEach("amount", 10**15)}, r"`newest` must have a max_age_s of 1 to"),
    ],
)
def test_answers(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(RECEIPTS, **changes))


class Nameless(DatasetSettings):
    """A setting without a variable, one without a default, one without a description."""

    url: str = Field("http://127.0.0.1", description="where to ask")
    key: str = Field(validation_alias=env("FIELD_KEY"), description="a key")
    size: int = Field(1, validation_alias=env("field_size"), description="")


class Strange(BaseModel):
    """No settings of a dataset."""


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": " "}, r"title must say something"),
        ({"title": "Receipts\n# of shops"}, r"the title and each of the tags must be on one line"),
        ({"tags": ("money", " ")}, r"each of the tags must be on one line, and a tag not empty"),
        ({"corrections": CorrectionRule(" ")}, r"corrections must say which changes are noticed"),
        ({"summary": ""}, r"summary must say something"),
        ({"answer": ""}, r"answer must say something"),
        ({"repo_name": "Field"}, r"repo_name='Field' must be lower-case"),
        ({"repo_name": "field--data"}, r"repo_name='field--data'"),
        ({"repo_name": "field.git"}, r"repo_name='field.git'"),
        ({"provider": "the register"}, r"provider='the register' must be"),
        ({"source_url": "register.example.org"}, r"source_url='register.example.org' must be an http"),
        ({"licence": Licence("other", "own-terms", "/terms")}, r"the licence's url='/terms' must be an http"),
        ({"licence": Licence("other", "Own Terms", "https://x.org")}, r"the licence's name='Own Terms' must be"),
        ({"licence": Licence("", "own-terms", "https://x.org")}, r"the licence's id='' must be"),
        ({"stale_warn_ms": 0}, r"stale_warn_ms must be above 0"),
        ({"stale_fail_ms": 3 * MINUTE_MS}, r"stale_fail_ms longer than it"),
        ({"publish_interval_s": -1}, r"publish_interval_s must be 0 or more"),
        ({"ahead_ms": -1}, r"ahead_ms, tick_s and publish_interval_s must be 0 or more"),
        ({"tick_s": -1}, r"tick_s and publish_interval_s must be 0 or more"),
        (
            {"filters": (Filter(parameter="q", column="number", doc="x", words=True, many=False),)},
            r"'q' looks for words, so it must mean a column of kind text",
        ),
        ({"stale_fail_ms": 10**18}, r"must be shorter than a hundred years"),
        ({"retention_ms": 10**18}, r"must be shorter than a hundred years"),
        ({"settings": Strange}, r"settings=.*Strange.* must be a kind of DatasetSettings"),
        ({"settings": Nameless}, r"the setting 'url' must name its variable in upper case"),
        ({"settings": Nameless}, r"the setting 'size' must name its variable in upper case"),
        ({"settings": Nameless}, r"the setting 'key' must have a default"),
        ({"settings": Nameless}, r"the setting 'size' must say what it means"),
    ],
)
def test_texts_ages_and_settings(changes: dict[str, Any], fault: str) -> None:
    assert any(re.search(fault, line) for line in refused(RECEIPTS, **changes))


def test_all_faults_are_told_at_once() -> None:
    lines = refused(RECEIPTS, default_limit=0, title="", corrections=CorrectionRule(" "))
    assert len(lines) >= 3


def test_loading_the_specs_starts_no_threads() -> None:
    """A process that has threads must not be forked, and runs are forked from one that has loaded the specs."""
    code = (
        "import os, sys; import polars; before = len(os.listdir('/proc/self/task')); "
        "from datahub_assets.datasets.registry import DATASETS; assert any(spec.rules for spec in DATASETS.values()); "
        "sys.exit(len(os.listdir('/proc/self/task')) - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=QUIET, check=False).returncode == 0
