"""Which rows others removed from a repo or changed in it, and sending them again.

Rows go again by waiting once more: merging them changes nothing where the Hub still holds them, so another honest
writer's commits cost a comparison and no commit. Talking to the Hub is not done here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import polars as pl

from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.partitions import is_placed, is_sealed, is_small, keys_move, numbers_of, sealed_paths
from datahub_assets.domain.sql_names import quoted
from datahub_assets.domain.tables import ByRange
from datahub_assets.domain.times import DAY_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.publish.plans import Plan

OWED: Final = "rows_owed"


@dataclass(frozen=True, slots=True)
class LostRows:
    """Rows a repo held once and does not hold now.

    Attributes:
        rows: how many.        until: none of them is of a later time (epoch ms).
        wanted: how many rows of up to that time the repo had with them; 0: not known.
        counted: how many of those there are, by file, as far as they were counted.
    """

    repo: str
    rows: int = 0
    until: int = 0
    wanted: int = 0
    counted: Mapping[str, int] = field(default_factory=dict)


def lost_rows(spec: DatasetSpec, *, known: RepoState, seen: RepoState) -> bool:
    """Whether sealed files that were there are gone, which no publish removes: so the repo was emptied.

    But where rows move between sealed files, a publish removes one that lost all of them: then the repo has no fewer.
    """
    sealed = [path for path in known.files if is_sealed(spec, path)]
    small = [path for path in known.files if is_small(spec, path)]
    if any(path not in seen.files for path in sealed):
        fewer = known.rows is None or seen.rows is None or seen.rows < known.rows
        return fewer or not keys_move(spec)
    return bool(small) and not any(is_placed(spec, path) for path in seen.files)


def touched(spec: DatasetSpec, *, known: RepoState, seen: RepoState) -> set[str]:
    """Files with rows or lines of ours that are gone or have other content than when we last knew the repo."""
    ledgers = {ledger.path for ledger in ledgers_of(spec)}
    ours = {path: file.content_id for path, file in known.files.items() if path in ledgers or is_placed(spec, path)}
    return {
        path for path, content_id in ours.items() if path not in seen.files or seen.files[path].content_id != content_id
    }


def send_again(spec: DatasetSpec, *, known: RepoState, paths: set[str], cache: Cache) -> int:
    """Let what belongs in these files wait again, as far as the cache still holds it; returns how many rows."""
    table, count = cache.table(spec), 0
    with cache.transaction():
        for ledger in ledgers_of(spec):
            if ledger.path in paths:
                cache.table(ledger).unmark()
        if any(is_small(spec, path) for path in paths):
            open_rows = "" if spec.final is None else f" OR NOT coalesce({quoted(spec.final)}, 0)"
            count += table.unmark(f"{quoted(spec.time)} >= ?{open_rows}", (known.window_start,))
        for extent in _extents(spec, {path for path in paths if is_sealed(spec, path)}, cache=cache):
            same = "" if spec.group is None else f" AND {quoted(spec.group)} = ?"
            values = (extent.first, extent.last) if spec.group is None else (extent.first, extent.last, extent.group)
            count += table.unmark(f"{quoted(extent.column)} BETWEEN ? AND ?{same}", values)
    return count


def owed(spec: DatasetSpec, *, repo: str, cache: Cache) -> int:
    """The number of rows that were once in this repo, are missing now and were not put back."""
    return _debt(spec, repo=repo, cache=cache).rows


def debt_to_check(spec: DatasetSpec, *, known: RepoState, seen: RepoState, cache: Cache) -> LostRows | None:
    """The missing rows that another writer may have put back: rows arrived that are not ours."""
    debt = _debt(spec, repo=seen.repo, cache=cache)
    came = known.rows is not None and seen.rows is not None and seen.rows > known.rows
    return debt if debt.rows and debt.wanted and came else None


def note_lost(spec: DatasetSpec, *, known: RepoState, seen: RepoState, cache: Cache) -> None:
    """Remember by how many rows the repo shrank, and that those were of no later time than its newest then."""
    if known.rows is None or seen.rows is None or seen.rows >= known.rows:
        return
    before = _debt(spec, repo=seen.repo, cache=cache)
    rows = before.rows + known.rows - seen.rows
    until = max(known.newest or 0, before.until)
    _note(spec, LostRows(seen.repo, rows=rows, until=until, wanted=seen.rows + rows), cache=cache)


def note_put_back(spec: DatasetSpec, *, plan: Plan, repo: str, cache: Cache) -> None:
    """A commit carried this out: rows of the time of the loss that the repo did not have are those it lacked.

    Rows of later times are new and pay for none that are gone, however many they are.
    """
    debt = _debt(spec, repo=repo, cache=cache)
    if not debt.rows:
        return
    old = plan.changed.filter(spec.time_ms() <= debt.until)
    back = old.join(plan.replaced, on=list(spec.key), how="anti").height
    _note(spec, replace(debt, rows=max(0, debt.rows - back)), cache=cache)


def note_counted(spec: DatasetSpec, *, debt: LostRows, counted: Mapping[str, int], cache: Cache) -> int:
    """The rows of the time of the loss were counted, file by file; returns how many are owed still."""
    rows = min(debt.rows, max(0, debt.wanted - sum(counted.values())))
    _note(spec, replace(debt, rows=rows, counted=dict(counted) if rows else {}), cache=cache)
    return rows


def _debt(spec: DatasetSpec, *, repo: str, cache: Cache) -> LostRows:
    """What this repo is owed; nothing where the loss was another one's."""
    debt = LostRows(**cache.note(spec, OWED, default={"repo": repo}))
    return debt if debt.repo == repo else LostRows(repo)


def _note(spec: DatasetSpec, debt: LostRows, *, cache: Cache) -> None:
    cache.set_note(spec, OWED, asdict(debt))


@dataclass(frozen=True, slots=True)
class _Extent:
    """The rows of a sealed file: from the first to the last value of a column, of one group where files are grouped."""

    column: str
    first: int
    last: int
    group: str | None


def _extents(spec: DatasetSpec, sealed: set[str], *, cache: Cache) -> list[_Extent]:
    """What belongs in these sealed files, as far as the cache may have rows of it."""
    if isinstance(spec.partitioning, ByRange):
        ranges = {path: numbers_of(spec, path) for path in sealed}
        return [
            _Extent(spec.partitioning.column, *numbers, group=None if spec.group is None else path.split("/")[1])
            for path, numbers in ranges.items()
            if numbers is not None
        ]
    return _periods(spec, sealed, cache=cache) if sealed else []


def _periods(spec: DatasetSpec, sealed: set[str], *, cache: Cache) -> list[_Extent]:
    """The days of each of these files that the cache has rows of, from the first to the last."""
    name = spec.group or "group"
    frame = pl.DataFrame(
        cache.table(spec).days(spec.group), schema={name: pl.String, spec.time: pl.Int64}, orient="row"
    )
    moments = frame.with_columns(pl.from_epoch(spec.time, time_unit="ms"))
    found = frame.with_columns(sealed_paths(spec, moments).alias("path")).filter(pl.col("path").is_in(list(sealed)))
    ends = [pl.col(spec.time).min().alias("first"), (pl.col(spec.time).max() + (DAY_MS - 1)).alias("last")]
    spans = found.group_by("path", name).agg(ends)
    return [_Extent(spec.time, first, last, of) for of, first, last in spans.select(name, "first", "last").rows()]
