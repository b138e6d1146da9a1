"""Describes what is served: status, dataset information, revisions. Rows themselves, and HTTP, are not its business."""

from collections.abc import Sequence

from api.datasets.schemas import (
    ColumnInfo,
    DatasetInfo,
    DatasetStatus,
    FileInfo,
    GroupCoverage,
    RevisionInfo,
    Revisions,
    Status,
)
from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.health.service import hub_health
from api.http.errors import RevisionUnknown
from api.http.times import iso
from datahub_assets.settings import Settings

_MESSAGES = {
    "ok": "all datasets are being served from the Hub",
    "degraded": "the datasets are being served, but not all is well",
    "unavailable": "no dataset could be read from the Hub yet",
}


def status_of(engine: Engine, settings: Settings) -> Status:
    """The hub in brief; `healthy`, `degraded` or `unavailable`."""
    health = hub_health(engine, settings)
    message = "; ".join([_MESSAGES[health.status], *health.reasons])
    return Status(
        status="healthy" if health.status == "ok" else health.status,
        message=message,
        market_dataset=_brief(engine, "market", endpoint=settings.hub_endpoint),
        ohlc_dataset=_brief(engine, "ohlc", endpoint=settings.hub_endpoint),
    )


def dataset_infos(snapshots: Sequence[Snapshot], *, endpoint: str) -> dict[str, DatasetInfo]:
    """Datasets at their commits, by name."""
    return {snapshot.spec.name: dataset_info(snapshot, endpoint=endpoint) for snapshot in snapshots}


def dataset_info(snapshot: Snapshot, *, endpoint: str) -> DatasetInfo:
    """A dataset at a commit: files, columns, coverage."""
    spec = snapshot.spec
    return DatasetInfo(
        name=spec.name,
        title=spec.title,
        repo=snapshot.repo_id,
        url=_url(snapshot.repo_id, endpoint=endpoint),
        revision=snapshot.sha,
        updated_at=iso(snapshot.commit.at_ms),
        rows=snapshot.rows,
        size=snapshot.size,
        key=list(spec.key),
        columns=[ColumnInfo(column.name, str(column.kind.arrow), column.doc) for column in spec.columns],
        coverage=[_coverage(snapshot, group) for group in sorted(snapshot.groups, key=str)],
        files=[FileInfo(file.path, file.size, file.content_id) for file in snapshot.files],
    )


def revisions_of(engine: Engine, dataset: Dataset, *, limit: int, before: str | None) -> Revisions:
    """Commits of a dataset from the local index, those older than the revision `before` if there is one.

    Raises:
        RevisionUnknown, DatasetNotReady: `before` is not in the index.
    """
    catalog, source = engine.catalog, dataset.library.source
    refs = catalog.refs(source)
    named: dict[str, list[str]] = {}
    for name, sha in refs.items():
        named.setdefault(sha, []).append(name)
    commits = catalog.commits(source, limit=limit, before=_indexed(engine, dataset, before))
    return Revisions(
        dataset=dataset.spec.name,
        repo=dataset.repo_id,
        commits=catalog.commit_count(source),
        refs=refs,
        revisions=[
            RevisionInfo(commit.sha, iso(commit.at_ms), commit.title, named.get(commit.sha, [])) for commit in commits
        ],
    )


def _indexed(engine: Engine, dataset: Dataset, revision: str | None) -> str | None:
    """The sha of a revision, seen to be in the index: after one that is not, an empty list would look like the end."""
    if revision is None:
        return None
    sha = dataset.find(revision=revision).sha
    if not engine.catalog.is_indexed(dataset.library.source, sha):
        raise RevisionUnknown(f"commit {sha} is not in the history of {dataset.spec.name}; see /api/hub/revisions")
    return sha


def _brief(engine: Engine, name: str, *, endpoint: str) -> DatasetStatus:
    dataset = engine.datasets.get(name)
    url = _url(dataset.repo_id, endpoint=endpoint) if dataset is not None else None
    if dataset is None or not dataset.is_ready:
        return DatasetStatus(available=False, records=0, url=url, revision=None, newest_row=None)
    snapshot = dataset.current
    return DatasetStatus(
        available=True, records=snapshot.rows, url=url, revision=snapshot.sha, newest_row=iso(snapshot.newest_ms)
    )


def _coverage(snapshot: Snapshot, group: str | None) -> GroupCoverage:
    files = [file for file in snapshot.groups[group] if file.rows]
    return GroupCoverage(
        group=group,
        series=len(snapshot.series[group]),
        rows=sum(file.rows for file in files),
        oldest=iso(min((file.min_ms for file in files), default=None)),
        newest=iso(max((file.max_ms for file in files), default=None)),
    )


def _url(repo_id: str, *, endpoint: str) -> str:
    return f"{endpoint}/datasets/{repo_id}"
