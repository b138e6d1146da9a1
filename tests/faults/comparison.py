"""The one comparison: upstream = cache = Hub, at every commit of its history = API. Nothing is run or repaired here."""
# ruff: noqa: S608 - names of columns and tables come from the specs

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl

from api.engine.engine import Engine
from api.engine.hub.reader import HubReader
from datahub_assets.datasets.ledgers import corrections_of, ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.times import iso_to_ms
from datahub_assets.settings import Settings
from tests.faults.hubview import Commit, HubView, Rows, keyed
from tests.faults.subjects.subject import Key, Row, Subject, Told

_SHOWN = 4
Changes = dict[tuple[Key, str], set[tuple[object, object]]]
"""By key and column what a value was, and what it became."""


@dataclass
class Findings:
    """What is not as it should be, by kind."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        kinds = {"lost": self.lost, "doubled": self.doubled, "wrong": self.wrong}
        return "\n".join(f"{len(told)} {kind}:\n  " + "\n  ".join(told[:20]) for kind, told in kinds.items() if told)

    def note(self, where: list[str], what: str, keys: Iterable[object]) -> None:
        """Keep a line if there are any keys."""
        named = sorted(str(key) for key in keys)
        if named:
            where.append(f"{what}: {len(named)}, such as {', '.join(named[:_SHOWN])}")


@dataclass(frozen=True)
class Truth:
    """What upstream said of a dataset.

    Attributes:
        told: all it ever said of each thing a row is about.
        now: what must be said of it now, by columns; not all columns need be told.
        landed: the keys that landed durably.
    """

    subject: Subject
    told: Mapping[Key, set[Row]]
    now: Mapping[Key, Told]
    landed: frozenset[Key] = frozenset()

    @classmethod
    def of(cls, subject: Subject, *, told: Iterable[Told], now: Iterable[Told], landed: frozenset[Key]) -> "Truth":
        said = defaultdict(set)
        for row in told:
            said[subject.name_of(row)].add(subject.content(row))
        return cls(subject, said, {subject.name_of(row): row for row in now}, landed)

    @property
    def spec(self) -> DatasetSpec:
        return self.subject.spec


def landed_keys(spec: DatasetSpec, journal: Path) -> frozenset[Key]:
    """Keys of all rows whose landing was done, from the copies kept of the files."""
    files = sorted(journal.glob(f"{spec.name}-*.parquet"))
    return frozenset(key for file in files for key, _ in keyed(spec, pl.read_parquet(file)))


def compare(settings: Settings, truths: Sequence[Truth], *, every: int = 1, sole_writer: bool = True) -> Findings:
    """Compare everything with everything, once the chains have settled.

    Args:
        settings: where the cache and the Hub are.        truths: what must be there, of each dataset.
        every: look at every so manieth commit of the history, and at the head.
        sole_writer: nobody else publishes to the Hub, so that the cache must hold all that it holds.
    """
    findings = Findings()
    with HubView(settings.hub_endpoint) as view:
        heads = {truth.spec.name: _history(view, truth, findings=findings, every=every) for truth in truths}
    for truth in truths:
        head = heads[truth.spec.name]
        _against_truth(head.rows(truth.spec), truth, findings)
        _against_cache(truth.spec, head, settings, findings=findings, sole_writer=sole_writer)
    _against_api(truths, heads, settings, findings)
    return findings


def _history(view: HubView, truth: Truth, *, findings: Findings, every: int) -> Commit:
    """Each commit whole by itself, none losing what one before had, all corrections told; returns the head."""
    spec, subject = truth.spec, truth.subject
    shas = view.history(spec)
    assert shas, f"there is no repo of {spec.name}"
    chosen = [*shas[:-1:every], shas[-1]]
    before: Rows = {}
    corrected: Changes = defaultdict(set)
    for sha in chosen:
        commit = view.commit(spec, sha)
        rows = commit.rows(spec)
        where = f"{spec.name} at {sha[:8]}"
        findings.note(findings.doubled, f"{where}: keys twice", commit.doubled(spec))
        findings.note(findings.lost, f"{where}: keys gone", before.keys() - rows.keys())
        findings.wrong += [f"{where}: {problem}" for problem in commit.problems(spec)]
        unknown = [key for key, row in rows.items() if not _was_told(truth, subject.row(row))]
        findings.note(findings.wrong, f"{where}: rows upstream never said", unknown)
        other = {key: (before[key], row) for key, row in rows.items() if key in before and before[key] != row}
        for key, (old, new) in other.items():
            _compare_versions(truth, key, subject.row(old), subject.row(new), findings=findings, corrected=corrected)
        before = rows
    _corrections_told(truth, commit, corrected, findings, is_whole=every == 1)
    return commit


def _was_told(truth: Truth, row: Told) -> bool:
    return truth.subject.content(row) in truth.told.get(truth.subject.name_of(row), ())


def _compare_versions(truth: Truth, key: Key, old: Told, new: Told, *, findings: Findings, corrected: Changes) -> None:
    """What a later version of a row may change, and what of that is a correction."""
    spec = truth.spec
    if spec.final is not None and old[spec.final] and not new[spec.final]:
        findings.wrong.append(f"{spec.name}: {key} was final and is not any more")
    moved = [name for name in truth.subject.lasting if old[name] != new[name]]
    findings.note(findings.wrong, f"{spec.name}: {key} has another value, which stays", moved)
    if spec.corrections is None:
        return
    was_final = spec.final is None or (old[spec.final] and new[spec.final])
    columns = spec.column_names if was_final else spec.corrections.before_final
    for name in set(columns) - {"ingested_at", spec.final}:
        if old[name] is not None and old[name] != new[name]:
            corrected[key, name].add((old[name], new[name]))


def _key_of(spec: DatasetSpec, text: str) -> Key:
    """The key that a line of the ledger names; times are epoch ms."""
    named = json.loads(text)
    return tuple(
        iso_to_ms(named[name]) if spec.by_name[name].kind is ColumnKind.TIME else named[name] for name in spec.key
    )


def _corrections_told(truth: Truth, head: Commit, corrected: Changes, findings: Findings, *, is_whole: bool) -> None:
    """Each change of a final value stands in the ledger once, and in it stands nothing but what upstream said.

    Where not all commits were looked at, a value may have changed more than once between two of them.
    """
    ledger = corrections_of(truth.spec)
    if ledger is None:
        return
    lines = head.ledgers[ledger.path].select("key", "column", "old", "new").rows() if head.ledgers else []
    told = [((_key_of(truth.spec, key), column), (old, new)) for key, column, old, new in lines]
    twice = [line for line, count in Counter(told).items() if count > 1]
    findings.note(findings.doubled, f"{truth.spec.name}: corrections told twice", twice)
    kinds = {column.name: column.kind for column in truth.spec.columns}
    expected = {
        (where, (_text(old), _text(new)))
        for where, changes in corrected.items()
        if kinds[where[1]] is ColumnKind.TEXT
        for old, new in changes
    }
    if is_whole:
        findings.note(findings.wrong, f"{truth.spec.name}: corrections not told", expected - set(told))
    missing = {where for where in corrected if where not in {one for one, _ in told}}
    findings.note(findings.wrong, f"{truth.spec.name}: values changed without a correction", missing)
    if truth.subject.named != truth.spec.key:
        return
    for (key, column), values in told:
        if column in truth.subject.said and kinds[column] is ColumnKind.TEXT:
            place = truth.subject.said.index(column)
            known = {_text(row[place]) for row in truth.told.get(key, ())}
            if not set(values) <= known:
                findings.wrong.append(f"{truth.spec.name}: a correction that never was: {key} {column} {values}")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _against_truth(head: Rows, truth: Truth, findings: Findings) -> None:
    spec, subject = truth.spec, truth.subject
    findings.note(findings.lost, f"{spec.name}: landed, not on the Hub", truth.landed - head.keys())
    versions: dict[Key, list[Told]] = defaultdict(list)
    for row in sorted(map(subject.row, head.values()), key=lambda row: row[spec.time]):
        versions[subject.name_of(row)].append(row)
    findings.note(findings.lost, f"{spec.name}: upstream has them, the Hub has not", truth.now.keys() - versions.keys())
    other = {
        f"{name}: {column} is {versions[name][-1][column]!r}, not {value!r}"
        for name, now in truth.now.items()
        if name in versions
        for column, value in now.items()
        if versions[name][-1][column] != value
    }
    findings.note(findings.wrong, f"{spec.name}: other values than upstream", other)
    if subject.only_new:
        said = {name: [subject.content(row) for row in rows] for name, rows in versions.items()}
        again = [name for name, contents in said.items() if any(one == two for one, two in pairwise(contents))]
        findings.note(findings.doubled, f"{spec.name}: the same said twice", again)


def _against_cache(
    spec: DatasetSpec, commit: Commit, settings: Settings, *, findings: Findings, sole_writer: bool
) -> None:
    head = commit.rows(spec)
    with closing(sqlite3.connect(settings.cache_path)) as database:
        stored = [_read(spec, row) for row in database.execute(f"SELECT {_names(spec)} FROM {spec.cache_table}")]
        (waiting,) = database.execute(f"SELECT count(*) FROM {spec.cache_table} WHERE commit_id IS NULL").fetchone()
        if sole_writer:
            _ledgers_against_cache(spec, commit, database, findings)
    places = [spec.column_names.index(name) for name in spec.key]
    cached = {tuple(row[place] for place in places): row for row in stored}
    findings.note(findings.lost, f"{spec.name}: in the cache, not on the Hub", cached.keys() - head.keys())
    if sole_writer:
        findings.note(findings.wrong, f"{spec.name}: on the Hub, not in the cache", head.keys() - cached.keys())
        other = [key for key, row in cached.items() if key in head and head[key] != row]
        findings.note(findings.wrong, f"{spec.name}: cache and Hub differ", other)
    if waiting:
        findings.wrong.append(f"{spec.name}: {waiting} rows of the cache have no commit")
    left = sorted(path.name for path in (settings.landing_path / spec.name).glob("*.parquet"))
    findings.note(findings.wrong, f"{spec.name}: landing files left", left)


def _names(table: DatasetSpec) -> str:
    return ", ".join(f'"{name}"' for name in table.column_names)


def _read(spec: DatasetSpec, row: Row) -> Row:
    """A row of the cache as the Hub has it: lists are kept as JSON."""
    lists = [column.kind is ColumnKind.TEXTS for column in spec.columns]
    return tuple(
        tuple(json.loads(str(value))) if is_list and value is not None else value
        for is_list, value in zip(lists, row, strict=True)
    )


def _ledgers_against_cache(spec: DatasetSpec, head: Commit, database: sqlite3.Connection, findings: Findings) -> None:
    for ledger in ledgers_of(spec):
        names = ", ".join(f'"{name}"' for name in ledger.column_names)
        lines = database.execute(f"SELECT {names} FROM {ledger.name} WHERE dataset = ?", (spec.name,))
        published = head.ledgers[ledger.path].with_columns(pl.selectors.datetime().dt.epoch("ms"))
        findings.note(
            findings.wrong, f"{ledger.name} of {spec.name}: cache and Hub differ", set(lines) ^ set(published.rows())
        )


def _against_api(truths: Sequence[Truth], heads: Mapping[str, Commit], settings: Settings, findings: Findings) -> None:
    hub = HubReader(settings.hub_endpoint, token=settings.owner_token)
    engine = Engine(hub=hub, root=settings.snapshots_path, endpoint=settings.hub_endpoint, namespace=lambda: "local")
    try:
        for spec in (truth.spec for truth in truths):
            engine.refresh(spec.name)
            snapshot = engine.dataset(spec.name).current
            if snapshot.sha != heads[spec.name].sha:
                findings.wrong.append(f"{spec.name}: the API serves {snapshot.sha}, the head is {heads[spec.name].sha}")
            served = [row for file in snapshot.data for row in keyed(spec, file.open().frame.select(spec.column_names))]
            head = heads[spec.name].rows(spec)
            twice = [key for key, count in Counter(key for key, _ in served).items() if count > 1]
            findings.note(findings.doubled, f"{spec.name}: keys twice in the API", twice)
            findings.note(findings.wrong, f"{spec.name}: API and Hub differ", head.items() ^ dict(served).items())
    finally:
        engine.close()
