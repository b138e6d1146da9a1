"""From what a caller says of a revision to the snapshots that answer, and how their commits are named."""

import asyncio
from collections.abc import Sequence
from typing import Final

from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.hub import FULL_SHA, Commit
from api.engine.snapshot import Snapshot
from api.errors import RevisionUnknown
from api.queries import RevisionChoice

_REFS_EVERY_S: Final = 2.0


async def load(dataset: Dataset, commit: Commit) -> Snapshot:
    """The snapshot of a commit. Raises as `Dataset.at`."""
    return await dataset.at(commit)


async def commit_at(dataset: Dataset, choice: RevisionChoice) -> Commit:
    """The commit a caller means. A name nobody knows may be a new tag, so the Hub is asked about it once in a while.

    Raises:
        RevisionUnknown, DatasetNotReady: as `Dataset.find`.        HubError: the Hub could not be asked about a name.
    """
    try:
        return dataset.find(revision=choice.revision, as_of_ms=choice.as_of_ms)
    except RevisionUnknown:
        is_name = choice.revision is not None and not FULL_SHA.fullmatch(choice.revision)
        if not is_name or not await asyncio.to_thread(dataset.refresh_refs, least_age_s=_REFS_EVERY_S):
            raise
    return dataset.find(revision=choice.revision)


async def snapshot_at(engine: Engine, name: str, choice: RevisionChoice) -> Snapshot:
    """The snapshot of a dataset a caller means. Raises as `Engine.dataset`, `commit_at` and `Dataset.at`."""
    dataset = engine.dataset(name)
    return await load(dataset, await commit_at(dataset, choice))


def revision_name(snapshots: Sequence[Snapshot]) -> str:
    """How an answer's revision is written: a sha, or `market@<sha>,ohlc@<sha>` where it spans several datasets."""
    if len(snapshots) == 1:
        return snapshots[0].sha
    return ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)
