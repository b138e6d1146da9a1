"""What a Hub holds at any commit, read over plain HTTP and pyarrow: not by the product's own readers.

Also the rules of the layout, written down a second time.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import polars as pl
import pyarrow.parquet as pq
import yaml

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import in_epoch_ms
from datahub_assets.domain.tables import ByRange, ByTime, Period

Rows = dict[tuple[object, ...], tuple[object, ...]]
"""By key, whole rows; times in epoch ms, lists as tuples."""


@dataclass(frozen=True)
class Commit:
    """One commit: the frames of its data files by path, and the window start its card tells (epoch ms).

    Attributes:
        sizes: bytes of all its files, by path.
    """

    sha: str
    frames: dict[str, pl.DataFrame]
    ledgers: dict[str, pl.DataFrame]
    window_start: int
    sizes: dict[str, int]

    def rows(self, spec: DatasetSpec) -> Rows:
        """All rows; of a key that is there twice, any."""
        return {key: row for frame in self.frames.values() for key, row in keyed(spec, frame)}

    def problems(self, spec: DatasetSpec) -> Iterator[str]:
        """What breaks the rules of the layout, apart from doubled keys."""
        for path, frame in self.frames.items():
            if not frame.height:
                yield f"{path} is empty"
            if not frame.equals(frame.sort(list(spec.sort))):
                yield f"{path} is not sorted"
            for row in frame.iter_rows(named=True):
                home = place(spec, row, window_start=self.window_start)
                if not (path == home or (home.endswith("/") and path.startswith(home))):
                    yield f"{path} holds {[row[name] for name in spec.key]}, which belongs in {home}"

    def doubled(self, spec: DatasetSpec) -> list[str]:
        """Keys that more than one row has."""
        if not self.frames:
            return []
        keys = pl.concat([frame.select(spec.key) for frame in self.frames.values()])
        return [str(row) for row in keys.filter(keys.is_duplicated()).unique().rows()]


def keyed(spec: DatasetSpec, frame: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], tuple[object, ...]]]:
    """(key, whole row) of each row, times in epoch ms, lists as tuples."""
    plain = in_epoch_ms(frame)
    rows = plain.rows()
    if any(isinstance(kind, pl.List) for kind in plain.dtypes):
        rows = [tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows]
    return zip(plain.select(spec.key).rows(), rows, strict=True)


def place(spec: DatasetSpec, row: dict[str, Any], *, window_start: int) -> str:
    """Where the design says a row lies; a folder (ending in /) where any file of it will do."""
    moment: datetime = row[spec.time]
    begin = datetime.fromtimestamp(window_start / 1000, UTC)
    day = begin.replace(hour=0)
    folder = "data/" if spec.group is None else f"data/{row[spec.group]}/"
    if spec.final is not None and not row[spec.final]:
        return f"{folder}open.parquet"
    if spec.partitioning == ByTime(Period.DAY) or isinstance(spec.partitioning, ByRange):
        if moment >= begin:
            return f"{folder}live/"
        return (
            f"{folder}hours/{moment:%Y-%m-%dT%H}.parquet" if moment >= day else f"{folder}{_sealed(spec, row)}.parquet"
        )
    if moment >= day:
        return f"{folder}today.parquet"
    this_month = moment >= day.replace(day=1)
    return f"{folder}days/{moment:%Y-%m-%d}.parquet" if this_month else f"{folder}{moment:%Y-%m}.parquet"


def _sealed(spec: DatasetSpec, row: dict[str, Any]) -> str:
    """The name of the file of a day, or of a range of numbers."""
    if not isinstance(spec.partitioning, ByRange):
        return f"{row[spec.time]:%Y-%m-%d}"
    number, size = row[spec.partitioning.column], spec.partitioning.size
    return f"{number - number % size:012d}-{number - number % size + size - 1:012d}"


_READ: dict[str, pl.DataFrame] = {}
"""Frames by the oid of their file: content never changes under an oid, and histories share most of it."""


class HubView:
    """Reads the datasets of `local` on a Hub."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=30.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def history(self, spec: DatasetSpec) -> list[str]:
        """Commits of the main branch, oldest first; none when there is no repo."""
        return list(self.dated(spec))

    def dated(self, spec: DatasetSpec) -> dict[str, int]:
        """Commits of the main branch, oldest first, and when they were made (epoch ms)."""
        found: list[tuple[str, int]] = []
        url: str | None = f"/api/datasets/local/{spec.repo_name}/commits/main"
        while url is not None:
            answer = self._http.get(url)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return {}
            found += [(one["id"], _ms(one["date"])) for one in answer.raise_for_status().json()]
            url = answer.links.get("next", {}).get("url")
        return dict(reversed(found))

    def commit(self, spec: DatasetSpec, sha: str) -> Commit:
        """What a commit holds.

        Raises:
            AssertionError: a file has another schema than the dataset.
        """
        repo = f"local/{spec.repo_name}"
        tree = self._http.get(f"/api/datasets/{repo}/tree/{sha}?recursive=true").raise_for_status().json()
        files = {one["path"]: one["oid"] for one in tree if one["type"] == "file"}
        frames = {path: self._frame(repo, sha, path, oid) for path, oid in files.items() if path.endswith(".parquet")}
        for path, frame in frames.items():
            if path.startswith("data/"):
                assert dict(frame.schema) == spec.polars_schema(), f"{path} at {sha} has other columns"
        return Commit(
            sha=sha,
            frames={path: frame for path, frame in frames.items() if path.startswith("data/")},
            ledgers={path: frame for path, frame in frames.items() if not path.startswith("data/")},
            window_start=self._window_start(repo, sha) if "README.md" in files and frames else 0,
            sizes={one["path"]: one["size"] for one in tree if one["type"] == "file"},
        )

    def _frame(self, repo: str, sha: str, path: str, oid: str) -> pl.DataFrame:
        if oid not in _READ:
            table = pq.read_table(io.BytesIO(self._content(repo, sha, path)))
            frame = pl.from_arrow(table)
            assert isinstance(frame, pl.DataFrame)
            _READ[oid] = frame
        return _READ[oid]

    def _window_start(self, repo: str, sha: str) -> int:
        front = yaml.load(self._content(repo, sha, "README.md").decode().split("---\n")[1], Loader=yaml.CSafeLoader)
        told = front["datahub"]["window_start"]
        return _ms(told.isoformat() if isinstance(told, datetime) else told)

    def _content(self, repo: str, sha: str, path: str) -> bytes:
        return self._http.get(f"/datasets/{repo}/resolve/{sha}/{path}").raise_for_status().content


def _ms(text: str) -> int:
    """Epoch ms of an ISO time, UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
