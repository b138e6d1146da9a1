"""Which rows others removed from a repo or changed in it, and sending them again.

Rows go again by waiting once more: merging them changes nothing where the Hub still holds them, so another honest
writer's commits cost a comparison and no commit. Talking to the Hub is not done here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import SealedFile, is_placed, is_small, sealed_file
from datahub_assets.domain.files.partitions import keys_move, live_since
from datahub_assets.domain.sql_names import quoted
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
    """Whether sealed files that were there are gone: so the repo was emptied.

    A publish removes some as well: windows that it folds, files of an earlier layout that it splits, and where rows
    move between files one that lost all of them. Then the repo has no fewer rows.
    """
    gone = [file for path in known.files if path not in seen.files and (file := sealed_file(spec, path)) is not None]
    if gone:
        fewer = known.rows is None or seen.rows is None or seen.rows < known.rows
        return fewer or (not keys_move(spec) and not all(_may_be_placed_anew(spec, file) for file in gone))
    small = [path for path in known.files if is_small(spec, path)]
    return bool(small) and not any(is_placed(spec, path) for path in seen.files)


def _may_be_placed_anew(spec: DatasetSpec, file: SealedFile) -> bool:
    """Whether a publish puts all rows of such a file into others at some time."""
    return file.window or file.period not in {None, spec.period_of(file.group)}


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
            count += table.unmark(f"{quoted(spec.time)} >= ?{open_rows}", (live_since(spec, known.window_start),))
        same = "" if spec.group is None else f" AND {quoted(spec.group)} = ?"
        for file in filter(None, (sealed_file(spec, path) for path in sorted(paths))):
            column = file.column
            values = (file.first, file.last) if spec.group is None else (file.first, file.last, file.group)
            count += table.unmark(f"{quoted(column)} BETWEEN ? AND ?{same}", values)
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
