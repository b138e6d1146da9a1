"""Looking after a repo whose history grows by a commit a minute: how long it is, and making it short again."""

from dataclasses import dataclass
from typing import Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import utc_datetime
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub

MANY_COMMITS: Final = 2000
"""Past this a repo on huggingface.co gets slow; at a commit a minute that takes 33 hours."""

MAINTENANCE_SCHEDULE: Final = "hub_maintenance_schedule"
"""What squashes long histories every day, once somebody has switched it on in Dagster."""

MANY_COMMITS_FIX: Final = (
    f"`datahub hub squash` explains and helps; switched on in Dagster, {MAINTENANCE_SCHEDULE} does it every day"
)

SQUASH_LOSES: Final = (
    "Squashing replaces the whole history of the branch by one commit with the same files. It cannot be undone: older "
    "commits can no longer be read by their sha, except the one tagged today; `as_of` and pinned revisions before it "
    "stop working. No row that the dataset holds now is lost."
)


@dataclass(frozen=True, slots=True)
class Squashed:
    """A squash: the tag that keeps the state before it, and the one commit that is left."""

    tag: str
    before: str
    after: str


def commit_count(spec: DatasetSpec, *, cache: Cache, hub: Hub) -> int:
    """Commits of the main branch. Counted on the Hub when others may have committed, else kept up to date by us."""
    known = cache.repo(spec).load()
    if known is None or known.repo != hub.repo_url(spec):
        return hub.commit_count(spec)
    if known.commits is not None:
        return known.commits
    commits = hub.commit_count(spec)  # takes a while, in which a publish may have moved on
    cache.repo(spec).set_commits(commits, head=known.head)
    return commits


def squash(spec: DatasetSpec, *, cache: Cache, hub: Hub, now_ms: int) -> Squashed:
    """Tag the head with the day, then squash the branch; see `SQUASH_LOSES`.

    The new head is not remembered: another writer may have committed on it already, and what we know of the files
    would not be what it holds. So the next publish is refused once, and looks.

    Raises:
        HubError: it could not be done; the tag may be there already, the history is then as it was.
    """
    before = hub.head(spec)
    tag = _free_tag(hub.tags(spec), day=f"{utc_datetime(now_ms):%Y-%m-%d}")
    hub.tag(spec, tag, revision=before, message="State before the history was squashed")
    after = hub.squash(spec, message=f"Squash the history (the state before is tagged {tag})")
    cache.repo(spec).set_commits(None, head=before)
    return Squashed(tag=tag, before=before, after=after)


def _free_tag(taken: set[str], *, day: str) -> str:
    """The day, with a number when that tag exists."""
    number = 1
    while (name := day if number == 1 else f"{day}.{number}") in taken:
        number += 1
    return name
