"""The commits of a dataset, from the local index."""

from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.history.schemas import RevisionInfo, Revisions
from api.http.errors import RevisionUnknown
from datahub_assets.domain.times import iso_short


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
            RevisionInfo(commit.sha, iso_short(commit.at_ms), commit.title, named.get(commit.sha, []))
            for commit in commits
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
