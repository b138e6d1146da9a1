"""The one comparison: upstream = cache = Hub, at every commit of its history = API. Nothing is run or repaired here."""
# ruff: noqa: S608 - names of columns and tables come from the specs

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from api.engine.engine import Engine
from api.engine.hub.reader import HubReader
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import in_epoch_ms
from datahub_assets.settings import Settings
from tests.faults.hubview import Commit, HubView, Rows, keyed
from tests.faults.witness import CONTENT, Key, Row, Versions

_SHOWN = 4


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
    """What upstream said: all it ever `served`, what must be there `now`, and the keys that `landed` durably."""

    served: Versions
    now: Mapping[Key, Row]
    landed: frozenset[Key] = frozenset()


def landed_keys(spec: DatasetSpec, journal: Path) -> frozenset[Key]:
    """Keys of all rows whose landing was done, from the copies kept of the files."""
    files = sorted(journal.glob(f"{spec.name}-*.parquet"))
    return frozenset(key for file in files for key, _ in keyed(spec, pl.read_parquet(file)))


def compare(settings: Settings, truths: Mapping[str, Truth], *, every: int = 1, sole_writer: bool = True) -> Findings:
    """Compare everything with everything, once the chains have settled.

    Args:
        settings: where the cache and the Hub are.        truths: what must be there, by dataset.
        every: look at every so manieth commit of the history, and at the head.
        sole_writer: nobody else publishes to the Hub, so that the cache must hold all that it holds.
    """
    findings = Findings()
    with HubView(settings.hub_endpoint) as view:
        heads = {
            spec.name: _history(spec, view, truths[spec.name], findings=findings, every=every)
            for spec in (MARKET, OHLC)
        }
    for spec in (MARKET, OHLC):
        head = heads[spec.name].rows(spec)
        _against_truth(spec, head, truths[spec.name], findings)
        _against_cache(spec, head, settings, findings=findings, sole_writer=sole_writer)
    if sole_writer:
        _ledger_against_cache(heads[OHLC.name], settings, findings)
    _against_api(heads, settings, findings)
    return findings


def _history(spec: DatasetSpec, view: HubView, truth: Truth, *, findings: Findings, every: int) -> Commit:
    """Each commit whole by itself, and none losing what one before had; returns the head."""
    shas = view.history(spec)
    assert shas, f"there is no repo of {spec.name}"
    chosen = [*shas[:-1:every], shas[-1]]
    before: Rows = {}
    for sha in chosen:
        commit = view.commit(spec, sha)
        rows = commit.rows(spec)
        where = f"{spec.name} at {sha[:8]}"
        findings.note(findings.doubled, f"{where}: keys twice", commit.doubled(spec))
        findings.note(findings.lost, f"{where}: keys gone", before.keys() - rows.keys())
        findings.wrong += [f"{where}: {problem}" for problem in commit.problems(spec)]
        unknown = [key for key, row in rows.items() if _content(spec, row) not in truth.served.get(key, ())]
        findings.note(findings.wrong, f"{where}: rows upstream never said", unknown)
        if spec.final is not None:
            place = spec.column_names.index(spec.final)
            reopened = [key for key, row in before.items() if row[place] and key in rows and not rows[key][place]]
            findings.note(findings.wrong, f"{where}: candles reopened", reopened)
        before = rows
    return commit


def _against_truth(spec: DatasetSpec, head: Rows, truth: Truth, findings: Findings) -> None:
    findings.note(findings.lost, f"{spec.name}: landed, not on the Hub", truth.landed - head.keys())
    findings.note(findings.lost, f"{spec.name}: upstream has them, the Hub has not", truth.now.keys() - head.keys())
    other = [key for key, row in truth.now.items() if key in head and _content(spec, head[key]) != row]
    findings.note(findings.wrong, f"{spec.name}: other values than upstream", other)


def _against_cache(spec: DatasetSpec, head: Rows, settings: Settings, *, findings: Findings, sole_writer: bool) -> None:
    names = ", ".join(f'"{name}"' for name in spec.column_names)
    with closing(sqlite3.connect(settings.cache_path)) as database:
        stored = database.execute(f"SELECT {names} FROM {spec.cache_table}").fetchall()
        (waiting,) = database.execute(f"SELECT count(*) FROM {spec.cache_table} WHERE commit_id IS NULL").fetchone()
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


def _ledger_against_cache(head: Commit, settings: Settings, findings: Findings) -> None:
    ledger = gaps_of(OHLC)
    assert ledger is not None
    names = ", ".join(f'"{name}"' for name in ledger.column_names)
    with closing(sqlite3.connect(settings.cache_path)) as database:
        stored = set(database.execute(f"SELECT {names} FROM gaps").fetchall())
    published = set(in_epoch_ms(head.ledgers[ledger.path]).rows())
    findings.note(findings.wrong, "gaps: cache and Hub differ", stored ^ published)


def _against_api(heads: Mapping[str, Commit], settings: Settings, findings: Findings) -> None:
    hub = HubReader(settings.hub_endpoint, token=settings.owner_token)
    engine = Engine(hub=hub, root=settings.snapshots_path, endpoint=settings.hub_endpoint, namespace=lambda: "local")
    try:
        for spec in (MARKET, OHLC):
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


def _content(spec: DatasetSpec, row: Row) -> Row:
    return tuple(value for name, value in zip(spec.column_names, row, strict=True) if name in CONTENT[spec.name])
