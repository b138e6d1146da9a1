"""The commits of a dataset, from the local index."""

from dataclasses import dataclass

from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.history.schemas import RevisionInfo, Revisions
from api.http.errors import RevisionUnknown
from datahub_assets.domain.times import iso_short


@dataclass(frozen=True, slots=True)
class CommitsQuery:
    """Which commits of a dataset: at most `limit` of them, and only those older than the commit `before`."""

    dataset: Dataset
    limit: int
    before: str | None


def revisions_of(engine: Engine, asked: CommitsQuery) -> Revisions:
    """Those commits, the newest first."""
    catalog, source = engine.catalog, asked.dataset.library.source
    refs = catalog.refs(source)
    named: dict[str, list[str]] = {}
    for name, sha in refs.items():
        named.setdefault(sha, []).append(name)
    commits = catalog.commits(source, limit=asked.limit, before=asked.before)
    return Revisions(
        dataset=asked.dataset.spec.name,
        repo=asked.dataset.repo_id,
        commits=catalog.commit_count(source),
        refs=refs,
        revisions=[
            RevisionInfo(commit.sha, iso_short(commit.at_ms), commit.title, named.get(commit.sha, []))
            for commit in commits
        ],
    )


def indexed(engine: Engine, dataset: Dataset, revision: str) -> str:
    """The sha of a revision, seen to be in the index: after one that is not, an empty list would look like the end.

    Raises:
        RevisionUnknown, DatasetNotReady: it is not in the index.
    """
    sha = dataset.find(revision=revision).sha
    if not engine.catalog.is_indexed(dataset.library.source, sha):
        raise RevisionUnknown(f"commit {sha} is not in the history of {dataset.spec.name}; see /api/hub/revisions")
    return sha
