"""Reports: what a worker has built and uploaded, and what a commit has to do with it. Small files of JSON in the home.

A report tells everything a committer needs, whichever machine it runs on: the contents lie on the Hub already.
"""

import glob
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheFull, StorageFailed
from datahub_assets.domain.files.data_files import files_between
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.gaps import Run
from datahub_assets.domain.history import Month, TimeRange
from datahub_assets.domain.rows import Rejected
from datahub_system.files.private import private_folder
from datahub_system.files.whole import NO_ROOM, write_whole

FOLDER: Final = "history"
"""In the home, beside the cache."""
_REPORTS: Final = "reports"
_DIGITS: Final = 15
"""Of the time that a report's name begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A month of a group, built.

    Attributes:
        repo: URL of the repo it was built for.        made_at: epoch ms.
        span: the time whose files are written anew together: the month, or as long as a file of an earlier layout has
            rows of it and is split; None, as earlier versions wrote it: the month.
        bases: every sealed file of the head that may have rows of this time, and its content id: what was merged from.
        files: those that change, uploaded.        deletes: those of `bases` that have no rows left.
        rows_added: by how many rows the dataset grows.        rows_changed: how many are new or say something else.
        first, newest: times of the oldest and the newest row (epoch ms); None without rows.
        forming: keys (times in epoch ms) of rows at the head that were not final and have a final version now.
        lines: lines for the ledgers, by name; times in epoch ms.
        there: by series, as ledgers name them, the rows that it has now: runs on its grid, the first and last time.
        rejected: rows that failed a check.
    """

    dataset: str
    group: str
    month: str
    repo: str
    made_at: int
    bases: dict[str, str]
    files: list[HubFile]
    deletes: list[str]
    rows_added: int
    rows_changed: int
    first: int | None
    newest: int | None
    forming: list[list[str | int]] = field(default_factory=list)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    there: dict[str, list[Run]] = field(default_factory=dict)
    span: TimeRange | None = None

    @property
    def name(self) -> str:
        """What it is of, in words: `1h 2024-11`."""
        return f"{self.group} {self.month}".strip()

    def held_by(self, spec: DatasetSpec, files: Mapping[str, HubFile]) -> dict[str, str]:
        """What a commit has of all that it is about: content ids by path."""
        return holding(spec, files, group=self.group, span=self.span or Month.parse(self.month).span)

    def results(self) -> dict[str, str]:
        """What becomes of `bases`: content ids by path."""
        written = {file.path: file.content_id for file in self.files}
        return {path: content_id for path, content_id in self.bases.items() if path not in self.deletes} | written


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report that waits for its commit, and the file it is in."""

    path: Path
    report: Report


def holding(spec: DatasetSpec, files: Mapping[str, HubFile], *, group: str, span: TimeRange) -> dict[str, str]:
    """The sealed files of a commit that may have rows of a group in this time; content ids by path."""
    paths = files_between(spec, files, group=group, first_ms=span.first_ms, last_ms=span.last_ms)
    return {path: files[path].content_id for path in sorted(paths)}


def save(home: Path, report: Report) -> Path:
    """Write a report, whole or not at all; once this returns, a crash does not lose it.

    Raises:
        CacheFull: the disk has no room.        StorageFailed: it failed.
    """
    folder = home / FOLDER / _REPORTS
    name = f"{report.made_at:0{_DIGITS}d}{_named(report.dataset, report.group, report.month)}"
    target = folder / f"{name}{secrets.token_hex(4)}.json"
    content = json.dumps(asdict(report), ensure_ascii=False).encode()
    try:
        private_folder(folder.parent)
        private_folder(folder)
        write_whole(target, lambda file: file.write(content))
    except OSError as error:
        if error.errno in NO_ROOM:
            raise CacheFull(f"no space left for {target}: free some space") from error
        raise StorageFailed(f"cannot write {target}: {error}") from error
    return target


def pending(home: Path, spec: DatasetSpec, *, group: str | None = None, month: Month | None = None) -> int:
    """How many reports of a dataset wait for their commit, or of a month of a group; told by their names alone."""
    named = _named(spec.name) if group is None else _named(spec.name, group, str(month))
    return sum(1 for _ in (home / FOLDER / _REPORTS).glob("?" * _DIGITS + glob.escape(named) + "*.json"))


def waiting(home: Path, spec: DatasetSpec) -> Sequence[WaitingReport]:
    """The reports of a dataset that wait for their commit, oldest first; one that cannot be read is removed."""
    found = []
    for path in sorted((home / FOLDER / _REPORTS).glob("?" * _DIGITS + glob.escape(_named(spec.name)) + "*.json")):
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
        except FileNotFoundError:
            continue
        except msgspec.MsgspecError:  # of another version: its month is due again
            discard(path)
            continue
        found.append(WaitingReport(path, report))
    return found


def _named(dataset: str, *rest: str) -> str:
    """What the name of a report's file says of what it is of; no name of a dataset has a hyphen."""
    return "-".join(["", dataset, *(word or "all" for word in rest), ""])


def discard(path: Path) -> None:
    """Its commit is made, or it is of no use: its month is due again, as far as the ledger of sources does not tell."""
    path.unlink(missing_ok=True)
