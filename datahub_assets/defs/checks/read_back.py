"""The proof of publishing: rows of the last commit, read back from the Hub and compared."""

from dataclasses import dataclass, field

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_small
from datahub_assets.domain.files.partitions import live_name, live_since
from datahub_assets.domain.rows import content_columns
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub

SAMPLE_ROWS = 500
MOST_FILES = 12
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """What was compared: the commit, how many rows, how many files had to be read, and what differed."""

    commit: str | None = None
    rows: int = 0
    files: int = 0
    problems: list[str] = field(default_factory=list)


def compare(spec: DatasetSpec, *, cache: Cache, hub: Hub) -> Sample:
    """Read rows of our last commit back, from the small files of the head it made, and compare them with the cache.

    Rows that changed in the cache since are not compared; nor are rows in sealed files, which may be large, nor those
    that would take more than `MOST_FILES` files to find.

    Raises:
        HubError: the Hub could not be read.
    """
    seen = cache.repo(spec).load()
    if seen is None:
        return Sample()
    since_ms = live_since(spec, seen.window_start)
    sent = cache.table(spec).of_last_commit(dataset=spec.name, since_ms=since_ms, limit=SAMPLE_ROWS)
    if sent.is_empty():
        return Sample(commit=seen.head)
    found = _found(spec, seen, cache=cache, hub=hub, wanted=sent)
    compared = sent.join(found.not_looked_for, on=list(spec.key), how="anti")
    problems = _differences(spec, sent=compared, held=found.rows)
    return Sample(commit=seen.head, rows=compared.height, files=found.files, problems=problems)


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows the Hub holds under the wanted keys, in how many files, and the keys for which there were too many."""

    rows: pl.DataFrame
    files: int
    not_looked_for: pl.DataFrame


def _found(spec: DatasetSpec, seen: RepoState, *, cache: Cache, hub: Hub, wanted: pl.DataFrame) -> _Found:
    """Fetch the files that hold these keys, by the content that was sent; one whose content we do not know may."""
    key = list(spec.key)
    left = wanted.select(key)
    rows = [wanted.clear()]
    for path in _newest_first(spec, seen):
        if left.is_empty():
            break
        sent = cache.repo(spec).contents([path]).get(path)
        here = left if sent is None else left.join(layout.read(spec, sent, name=path), on=key, how="semi")
        if here.is_empty():
            continue
        if len(rows) > MOST_FILES:
            return _Found(pl.concat(rows), len(rows) - 1, not_looked_for=left)
        held = layout.read(spec, hub.read(spec, path, revision=seen.head), name=path)
        rows.append(held.join(here, on=key, how="semi").select(wanted.columns))
        left = left.join(rows[-1] if sent is None else here, on=key, how="anti")
    return _Found(pl.concat(rows), len(rows) - 1, not_looked_for=left.clear())


def _newest_first(spec: DatasetSpec, seen: RepoState) -> list[str]:
    """The small files. Live ones bear the minute of a publish, so after midnight the low names are the newest."""
    begin = live_name(seen.window_start)

    def age(path: str) -> tuple[bool, str]:
        name = path.rsplit("/", 1)[-1]
        return name < begin, name

    return sorted((path for path in seen.files if is_small(spec, path)), key=age, reverse=True)


def _differences(spec: DatasetSpec, *, sent: pl.DataFrame, held: pl.DataFrame) -> list[str]:
    key = list(spec.key)
    missing = sent.join(held, on=key, how="anti")
    found = sent.join(missing, on=key, how="anti")
    other = found.join(held, on=content_columns(spec), how="anti", nulls_equal=True)
    return [
        *([f"{missing.height} rows are not on the Hub: {_named(missing, key)}"] if missing.height else []),
        *([f"{other.height} rows differ on the Hub: {_named(other, key)}"] if other.height else []),
    ]


def _named(rows: pl.DataFrame, key: list[str]) -> str:
    return ", ".join(" ".join(map(str, row)) for row in rows.select(key).head(_SHOWN).rows())
