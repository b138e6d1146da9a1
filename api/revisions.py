"""From what a caller says of a revision to the snapshots that answer, and how their commits are named."""

import asyncio
from collections.abc import Sequence

from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.hub import Commit
from api.engine.snapshot import Snapshot
from api.queries import RevisionChoice


async def load(dataset: Dataset, commit: Commit) -> Snapshot:
    """The snapshot of a commit; off the event loop when something must be fetched. Raises as `Dataset.load`."""
    held = dataset.held(commit)
    return held if held is not None else await asyncio.to_thread(dataset.load, commit)


async def snapshot_at(engine: Engine, name: str, choice: RevisionChoice) -> Snapshot:
    """The snapshot of a dataset a caller means. Raises as `Engine.dataset`, `Dataset.find` and `Dataset.load`."""
    dataset = engine.dataset(name)
    return await load(dataset, dataset.find(revision=choice.revision, as_of_ms=choice.as_of_ms))


def revision_name(snapshots: Sequence[Snapshot]) -> str:
    """How an answer's revision is written: a sha, or `market@<sha>,ohlc@<sha>` where it spans several datasets."""
    if len(snapshots) == 1:
        return snapshots[0].sha
    return ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)
