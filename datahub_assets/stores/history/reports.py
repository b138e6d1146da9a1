"""Reports: what a worker has built and uploaded, and what a commit has to do with it. Small files of JSON in the home.

A report tells everything a committer needs, whichever machine it runs on: the contents lie on the Hub already.
"""

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
from datahub_assets.domain.history import Month
from datahub_assets.domain.rows import Rejected
from datahub_system.files.private import private_folder
from datahub_system.files.whole import NO_ROOM, write_whole

FOLDER: Final = "history"
"""In the home, beside the cache."""
_REPORTS: Final = "reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A month of a group, built.

    Attributes:
        repo: URL of the repo it was built for.        made_at: epoch ms.
        bases: every sealed file of the head that may have rows of the month, and its content id: what was merged from.
        files: those that change, uploaded.        deletes: those of `bases` that have no rows left.
        rows_added: by how many rows the dataset grows.        rows_changed: how many are new or say something else.
        first, newest: times of the oldest and the newest row (epoch ms); None without rows.
        forming: keys (times in epoch ms) of rows at the head that were not final and have a final version now.
        lines: lines for the ledgers, by name; times in epoch ms.
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

    @property
    def name(self) -> str:
        """What it is of, in words: `1h 2024-11`."""
        return f"{self.group} {self.month}".strip()

    def results(self) -> dict[str, str]:
        """What becomes of `bases`: content ids by path."""
        written = {file.path: file.content_id for file in self.files}
        return {path: content_id for path, content_id in self.bases.items() if path not in self.deletes} | written


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report that waits for its commit, and the file it is in."""

    path: Path
    report: Report


def holding(spec: DatasetSpec, files: Mapping[str, HubFile], *, group: str, month: Month) -> dict[str, str]:
    """The sealed files of a commit that may have rows of a month of a group; content ids by path."""
    paths = files_between(spec, files, group=group, first_ms=month.start_ms, last_ms=month.end_ms - 1)
    return {path: files[path].content_id for path in sorted(paths)}


def save(home: Path, report: Report) -> Path:
    """Write a report, whole or not at all; once this returns, a crash does not lose it.

    Raises:
        CacheFull: the disk has no room.        StorageFailed: it failed.
    """
    folder = home / FOLDER / _REPORTS
    name = "-".join([f"{report.made_at:015d}", report.dataset, report.group or "all", report.month])
    target = folder / f"{name}-{secrets.token_hex(4)}.json"
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


def waiting(home: Path, spec: DatasetSpec) -> Sequence[WaitingReport]:
    """The reports of a dataset that wait for their commit, oldest first; one that cannot be read is removed."""
    found = []
    for path in sorted((home / FOLDER / _REPORTS).glob("*.json")):
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
        except FileNotFoundError:
            continue
        except msgspec.MsgspecError:  # of another version: its month is due again
            discard(path)
            continue
        if report.dataset == spec.name:
            found.append(WaitingReport(path, report))
    return found


def discard(path: Path) -> None:
    """Its commit is made, or it is of no use: its month is due again, as far as the ledger of sources does not tell."""
    path.unlink(missing_ok=True)
