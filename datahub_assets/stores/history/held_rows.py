"""The rows that the files of a head hold of a month, series by series, without holding more than a portion of each."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubUnavailable
from datahub_assets.domain.files.hub_files import HubFile, content_hash
from datahub_assets.domain.rows import frame_of
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.portions import in_portions, series_runs

PATH: Final = "__path"
"""Column of the rows that says which file they are in."""


class HeldRows:
    """The rows of some files of a commit, walked through in the order of their series. Use as a context manager.

    The files are fetched to `folder`; what is there of them has no name any more, and goes when they are closed.

    Raises:
        HubError: one could not be fetched, or is damaged.
    """

    def __init__(self, spec: DatasetSpec, files: Sequence[HubFile], *, hub: Hub, revision: str, folder: Path) -> None:
        self._spec = spec
        self._open = ExitStack()
        self._walks: list[_HeldFile] = []
        for number, file in enumerate(files):
            target, portions = folder / f"{number}.held", folder / f"{number}.portions"
            _fetch(spec, file, hub=hub, revision=revision, target=target)
            with target.open("rb") as content, portions.open("wb") as stream:
                in_portions(spec, content, stream, name=f"{file.path} at {revision}")
            target.unlink()
            runs = series_runs(spec, self._open.enter_context(portions.open("rb")))
            portions.unlink()
            self._walks.append(_HeldFile(file.path, runs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def next_series(self) -> str | None:
        """The first series of which rows are left, None when there are none."""
        return min((walk.series for walk in self._walks if walk.series is not None), default=None)

    def take(self, series: str) -> pl.DataFrame:
        """The rows of the next series, each with the file it is in; none where they hold none of this one."""
        found = [
            rows.with_columns(pl.lit(walk.path).alias(PATH))
            for walk in self._walks
            if walk.series == series
            for rows in walk.take()
        ]
        return pl.concat([_none(self._spec), *found])


def _none(spec: DatasetSpec) -> pl.DataFrame:
    return frame_of(spec, []).with_columns(pl.lit(None, dtype=pl.String).alias(PATH))


class _HeldFile:
    """One file, walked through series by series."""

    def __init__(self, path: str, runs: Iterator[tuple[str, pl.DataFrame]]) -> None:
        self.path = path
        self._runs = runs
        self._next = next(runs, None)

    @property
    def series(self) -> str | None:
        """The series whose rows come next."""
        return None if self._next is None else self._next[0]

    def take(self) -> Iterator[pl.DataFrame]:
        """The rows of that series."""
        series = self.series
        while self._next is not None and self._next[0] == series:
            yield self._next[1]
            self._next = next(self._runs, None)


def _fetch(spec: DatasetSpec, file: HubFile, *, hub: Hub, revision: str, target: Path) -> None:
    with target.open("wb") as incoming:
        hub.download(spec, file.path, revision=revision, target=incoming)
    with target.open("rb") as content:
        digest = hashlib.file_digest(content, partial(content_hash, file.content_id, size=file.size)).hexdigest()
    if digest != file.content_id:
        raise HubUnavailable(f"{file.path} at {revision} came with other content than the Hub says it has")
