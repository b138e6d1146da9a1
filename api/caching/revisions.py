"""From what a caller says of a revision to the snapshots that answer, and how their commits are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.http.errors import DatasetNotReady, RevisionUnknown
from api.http.reading import RevisionChoice
from datahub_assets.datasets.registry import DATASETS

EACH_COMMIT: Final = ",".join(f"{name}@<sha>" for name in DATASETS)
"""How `X-Revision` names the commits of an answer that is of all datasets: `market@<sha>,ohlc@<sha>`, for one."""


async def snapshot_at(engine: Engine, name: str, choice: RevisionChoice) -> Snapshot:
    """The snapshot of a dataset a caller means. Raises as `Engine.dataset`, `Dataset.commit` and `Dataset.at`."""
    dataset = engine.dataset(name)
    return await dataset.at(await dataset.commit(choice))


@dataclass(frozen=True, slots=True)
class Pinned:
    """A dataset's snapshot, and whether the caller named its commit in full, so that it never changes."""

    snapshot: Snapshot
    immutable: bool


async def snapshots_at(engine: Engine, choice: RevisionChoice) -> list[Pinned]:
    """The snapshot of each dataset that is there; at a time, of each that was there.

    A revision is `market@<sha>,ohlc@<sha>` as `X-Revision` writes it, or a name or sha, which applies to every dataset
    that has it; the other datasets are taken as they are now. Raises as `Engine.dataset`, `Dataset.current`,
    `Dataset.commit` and `Dataset.at`.
    """
    ready = [dataset for dataset in engine.datasets.values() if dataset.is_ready]
    if not ready:
        raise DatasetNotReady("no commit of any dataset has been read from the Hub yet")
    named = _named_revisions(choice.revision or "", engine)
    pinned: list[Pinned] = []
    unknown: list[RevisionUnknown] = []
    for dataset in ready:
        wanted = RevisionChoice(named.get(dataset.spec.name)) if named else choice
        try:
            commit = await dataset.commit(wanted)
        except RevisionUnknown as error:
            if named:
                raise
            unknown.append(error)
            if choice.as_of_ms is None:
                pinned.append(Pinned(dataset.current, immutable=False))
            continue
        pinned.append(Pinned(await dataset.at(commit), immutable=wanted.is_immutable))
    if len(unknown) == len(ready):
        raise unknown[0]
    return pinned


def _named_revisions(revision: str, engine: Engine) -> dict[str, str]:
    if "@" not in revision:
        return {}
    named: dict[str, str] = {}
    for part in revision.split(","):
        name, separator, wanted = part.strip().partition("@")
        if not separator or name in named:
            raise RevisionUnknown(f"{revision[:200]!r} does not name one commit of each dataset, as {EACH_COMMIT}")
        _ = engine.dataset(name).current  # raises UnknownDataset, or DatasetNotReady
        named[name] = wanted
    return named


def revision_name(snapshots: Sequence[Snapshot]) -> str:
    """How an answer's revision is written: a sha, or `market@<sha>,ohlc@<sha>` where it spans several datasets."""
    if len(snapshots) == 1:
        return snapshots[0].sha
    return ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)
