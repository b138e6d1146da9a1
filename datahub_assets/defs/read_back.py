"""The proof of publishing: rows of the last commit, read back from the Hub and compared. Nothing is repaired here."""

from dataclasses import dataclass, field

import polars as pl

from datahub_assets.domain.datasets import DatasetSpec
from datahub_assets.domain.partitions import is_small
from datahub_assets.domain.rows import content_columns
from datahub_assets.stores import layout, remote
from datahub_assets.stores.cache import Cache
from datahub_assets.stores.hub import Hub
from datahub_assets.stores.remote import Remote
from datahub_assets.stores.tables import Table

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

    Rows that changed in the cache since are not compared; nor are rows in sealed files, which may be large.

    Raises:
        HubError: the Hub could not be read.
    """
    seen = remote.load(cache.database, spec)
    if seen is None:
        return Sample()
    sent = Table.of(spec).read(
        cache.database,
        "WHERE commit_id = (SELECT max(id) FROM commits WHERE dataset = ?) AND timestamp >= ? LIMIT ?",
        (spec.name, seen.window_start, SAMPLE_ROWS),
    )
    if sent.is_empty():
        return Sample(commit=seen.head)
    held, files = _held(spec, seen, hub, wanted=sent)
    return Sample(commit=seen.head, rows=sent.height, files=files, problems=_differences(spec, sent=sent, held=held))


def _held(spec: DatasetSpec, seen: Remote, hub: Hub, *, wanted: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The rows the Hub holds under these keys, and how many files it took to find them (newest names first)."""
    keys = wanted.select(spec.key)
    held = wanted.clear()
    paths = sorted((path for path in seen.files if is_small(spec, path)), reverse=True)[:MOST_FILES]
    for count, path in enumerate(paths, start=1):
        rows = layout.read(spec, hub.read(spec, path, revision=seen.head), name=path)
        held = pl.concat([held, rows.join(keys, on=list(spec.key), how="semi").select(held.columns)])
        if held.height >= keys.height:
            return held, count
    return held, len(paths)


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
