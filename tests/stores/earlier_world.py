"""A repo whose files an earlier version of the project wrote, and the form its files have; see `tests.earlier_form`."""

import io
from collections.abc import Collection

import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.ledgers import ledgers_of, parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_data
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.head import look
from tests.earlier_form import earlier
from tests.stores.world import START_MS, Site


def part_of(spec: DatasetSpec, path: str) -> DatasetSpec | LedgerSpec | None:
    """What a file of the repo belongs to."""
    return next((ledger for ledger in ledgers_of(spec) if ledger.path == path), spec if is_data(path) else None)


def written_by_another_version(spec: DatasetSpec, hub: Hub, *, paths: Collection[str] | None = None) -> list[str]:
    """A commit after which these files of the repo (all of them) have another form; which they are."""
    head = hub.head(spec)
    chosen = [path for path in sorted(hub.files(spec, revision=head)) if part_of(spec, path) is not None]
    chosen = [path for path in chosen if paths is None or path in paths]
    writes = {path: earlier(hub.read(spec, path, revision=head)) for path in chosen}
    hub.commit(spec, writes=writes, deletes=[], message="as another version wrote it", parent=head)
    return chosen


def upgraded(spec: DatasetSpec, site: Site, *, paths: Collection[str] | None = None) -> list[str]:
    """These files of the repo (all) are of another form, and the cache knows its head as that other version left it.

    So it knows no forms.
    """
    written = written_by_another_version(spec, site.hub, paths=paths)
    with Cache.open(site.cache_path) as cache:
        cache.repo(spec).save(look(site.work(spec, cache=cache, now_ms=START_MS)))
        cache.database.execute("DELETE FROM file_forms")
    return written


def schemas(spec: DatasetSpec, hub: Hub, *, revision: str, without: Collection[str] = ()) -> dict[str, list[pa.Schema]]:
    """The schemas of the files of each config of the card, each once: the main table and the ledgers."""
    found: dict[str, list[pa.Schema]] = {}
    for path in hub.files(spec, revision=revision).keys() - set(without):
        part = part_of(spec, path)
        if part is not None:
            schema = pq.read_schema(io.BytesIO(hub.read(spec, path, revision=revision))).remove_metadata()
            known = found.setdefault(part.name, [])
            if not any(schema.equals(one) for one in known):
                known.append(schema)
    return found


def commits(spec: DatasetSpec, hub: Hub) -> list[str]:
    """All commits of the main branch that hold files of ours, oldest first."""
    found = [commit.commit_id for commit in hub._api.list_repo_commits(hub.repo_id(spec), repo_type="dataset")]
    return [sha for sha in reversed(found) if any(part_of(spec, path) for path in hub.files(spec, revision=sha))]


def assert_one_form(spec: DatasetSpec, hub: Hub, *, without: Collection[str] = ()) -> None:
    """Every file is of today's form; but for those `without`, which are not looked at."""
    found = schemas(spec, hub, revision=hub.head(spec), without=without)
    assert found
    assert found == {part.name: [part.arrow_schema()] for part in parts_of(spec) if part.name in found}
