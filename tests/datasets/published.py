"""Commits that two versions published, the earlier one with times in milliseconds, and what each of them must hold."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
from huggingface_hub import snapshot_download

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import ledgers_of, parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.data_files import SUFFIX
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.stores.cache.tables import Table
from datahub_assets.stores.publish.head import look
from datahub_assets.stores.publish.publisher import publish
from datahub_assets.stores.publish.work import Work
from localhub.testing import HubServer
from tests.api.workers import LIMITS, Workers
from tests.earlier_form import IN_MS, TODAYS, EarlierHub

_LOG = logging.getLogger(__name__)
GAPS, CORRECTIONS = ledgers_of(OHLC)
INTERVALS = ("1h", "4h", "1d")
ALL_FILES = {"default": "data/**/*.parquet", "gaps": GAPS.path, "corrections": CORRECTIONS.path} | {
    name: f"data/{name}/**/*.parquet" for name in INTERVALS
}


@dataclass(frozen=True)
class Commit:
    """A commit, and what the publisher had when it was made: rows and lines by config."""

    spec: DatasetSpec
    sha: str
    unit: pa.DataType
    rows: dict[str, pl.DataFrame]
    folder: Path


class Published:
    """Publishes by way of one version after the other, and remembers what each commit must hold."""

    def __init__(self, server: HubServer, home: Path) -> None:
        self.workers = Workers(home, endpoint=server.url, token=server.token)
        self.server, self.home = server, home
        self.todays = self.workers.hub
        self.workers.hub = EarlierHub(server.url, server.token, "local")
        self.unit = IN_MS
        self.commits: list[Commit] = []

    def publish(self, spec: DatasetSpec, rows: pl.DataFrame) -> None:
        self._note(spec, self.workers.publish(spec, rows))

    def turn(self, *specs: DatasetSpec) -> None:
        """What follows is published by today's version, which first writes the files of each dataset anew."""
        workers = self.workers
        workers.hub, self.unit = self.todays, TODAYS
        for spec in specs:
            work = Work(
                spec=spec, cache=workers.cache, hub=self.todays, now_ms=workers.now_ms, log=logging.getLogger(__name__)
            )
            with workers.cache.transaction():  # as the earlier version left the cache: it knew of no forms
                looked = look(work)
                workers.cache.repo(spec).save(replace(looked, forms={}))
            workers.now_ms += 60_000
            made = publish(spec, cache=workers.cache, hub=self.todays, limits=LIMITS, now_ms=workers.now_ms)
            assert made.commit is not None
            assert (made.rows, made.rewritten) == (0, sum(path.endswith(SUFFIX) for path in looked.files))
            self._note(spec, made.commit)

    def _note(self, spec: DatasetSpec, sha: str) -> None:
        held = {part.name: Table.of(self.workers.cache.database, part).read() for part in parts_of(spec)}
        every = held.pop(spec.name)
        groups = {} if spec.group is None else every.partition_by(spec.group, as_dict=True)
        rows = {"default": every, **{str(group): rows for (group,), rows in groups.items()}}
        rows |= {name: lines for name, lines in held.items() if lines.height}
        folder = snapshot_download(
            self.todays.repo_id(spec),
            repo_type="dataset",
            revision=sha,
            local_dir=self.home / sha,
            endpoint=self.server.url,
            token=self.server.token,
        )
        self.commits.append(Commit(spec, sha, self.unit, rows, Path(folder)))


def part(commit: Commit, config: str) -> DatasetSpec | LedgerSpec:
    return next((one for one in ledgers_of(commit.spec) if one.name == config), commit.spec)


def same(commit: Commit, config: str, found: pl.DataFrame) -> None:
    """The rows of a config, whatever order they come in and whatever unit their times have."""
    spec = part(commit, config)
    expected = commit.rows[config].sort(spec.key)
    assert expected.height
    times = [column.name for column in spec.columns if column.kind is ColumnKind.TIME]
    assert all(found.schema[name].is_temporal() for name in times)
    in_todays = found.select(spec.column_names).with_columns(pl.col(times).cast(ColumnKind.TIME.polars))
    assert in_todays.sort(spec.key).equals(expected)


def globbed(commit: Commit, config: str) -> list[str]:
    return sorted(map(str, commit.folder.glob(ALL_FILES[config])))


def frame(table: pa.Table) -> pl.DataFrame:
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found
