"""Rows whose key does not hold their time, on a real Hub: whatever happens, each key is in one file."""

import random
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubUnavailable
from datahub_assets.domain.rows import content_columns, frame_of, merge
from datahub_assets.domain.tables import Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.card import CARD_PATH
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import losses
from datahub_assets.stores.publish.head import look
from datahub_assets.stores.recovery.rebuild import rebuild
from localhub.testing import HubServer
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.foreign_world import FOREIGN, incident, incidents, listed, receipt, receipts
from tests.stores.world import START_MS, Site, assert_settled, on_hub, paths_on_hub

BACK_MS = (0, MINUTE_MS, 50 * MINUTE_MS, 3 * HOUR_MS, 2 * DAY_MS, 25 * DAY_MS, 70 * DAY_MS)


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    yield from listed(*FOREIGN)


def fetched(spec: DatasetSpec, chosen: random.Random, now_ms: int) -> pl.DataFrame:
    """A few versions of few rows, each with any time."""
    rows = []
    for _ in range(chosen.randint(1, 6)):
        at_ms = now_ms - chosen.choice(BACK_MS)
        if spec is INCIDENTS:
            services = chosen.choice([None, [], ["api"], ["api", "wallet"]])
            rows.append(incident(chosen.choice("abcdefgh"), at_ms, fetched_ms=now_ms, services=services))
        else:
            number, amount = chosen.choice([998, 999, 1000, 1001, 5000]), float(chosen.randint(1, 3))
            settled = chosen.random() < 0.7
            rows.append(receipt(number, at_ms, fetched_ms=now_ms, amount=amount, settled=settled))
    return frame_of(spec, rows)


def said(spec: DatasetSpec, frame: pl.DataFrame) -> list[str]:
    return sorted(map(repr, frame.select(content_columns(spec)).rows()))


def prune_all(site: Site, spec: DatasetSpec) -> None:
    """As if their retention had passed."""
    with Cache.open(site.cache_path) as cache:
        cache.table(spec).delete("commit_id IS NOT NULL")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spec", FOREIGN, ids=lambda spec: spec.name)
def test_every_commit_is_what_a_plain_model_says(new_site: Callable[[str], Site], spec: DatasetSpec, seed: int) -> None:
    """Two installations that write in turn, one of which forgets its rows; the model is a dict by key."""
    chosen = random.Random(seed)  # noqa: S311 - a choice to repeat, no secret
    sites = [new_site("one"), new_site("other")]
    model = frame_of(spec, [])
    now_ms = START_MS
    for _ in range(10):
        now_ms += chosen.choice([1, 7, 61, 25 * 60]) * MINUTE_MS
        site = chosen.choice(sites)
        rows = fetched(spec, chosen, now_ms)
        model = merge(spec, [model, rows])
        site.tick(spec, rows, now_ms=now_ms)
        assert said(spec, on_hub(spec, site.hub)) == said(spec, model)  # `on_hub` fails where a key is twice
        if chosen.random() < 0.4:
            prune_all(site, spec)


def test_a_pruned_row_that_comes_again_with_another_time_leaves_its_file(site: Site) -> None:
    old = START_MS - 40 * DAY_MS
    site.tick(INCIDENTS, incidents(incident("a", old, fetched_ms=START_MS)), now_ms=START_MS)
    assert paths_on_hub(INCIDENTS, site.hub) == ["data/days/2025-10-13.parquet"]
    prune_all(site, INCIDENTS)
    later = START_MS + MINUTE_MS
    site.tick(INCIDENTS, incidents(incident("a", later, fetched_ms=later)), now_ms=later)
    assert paths_on_hub(INCIDENTS, site.hub) == ["data/today.parquet"]
    assert on_hub(INCIDENTS, site.hub)["timestamp"].dt.epoch("ms").to_list() == [later]


def test_a_commit_nobody_heard_of_and_a_newer_version_meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that was on its way landed under a time the cache has forgotten when the next one goes out."""
    site.tick(INCIDENTS, incidents(incident("a", START_MS - 40 * DAY_MS, fetched_ms=START_MS)), now_ms=START_MS)
    real = Hub.commit

    def unheard(self: Hub, *args: object, **options: object) -> str:
        real(self, *args, **options)  # type: ignore[arg-type]
        raise HubUnavailable("no answer")

    second, third = START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS
    site.store(INCIDENTS, incidents(incident("a", START_MS - 80 * DAY_MS, fetched_ms=second)), now_ms=second)
    with monkeypatch.context() as patch:
        patch.setattr(Hub, "commit", unheard)
        patch.setattr(Hub, "head", lambda *_: (_ for _ in ()).throw(HubUnavailable("away")))
        with pytest.raises(HubUnavailable):
            site.publish(INCIDENTS, now_ms=second)
    rows = incidents(incident("a", third, fetched_ms=third))
    site.tick(INCIDENTS, rows, now_ms=third)
    assert_settled(INCIDENTS, site, rows)


def test_a_cache_made_anew_knows_where_keys_are(site: Site) -> None:
    old = START_MS - 80 * DAY_MS
    site.tick(RECEIPTS, receipts(receipt(7, old, fetched_ms=START_MS)), now_ms=START_MS)
    rebuild(site.cache_path, (RECEIPTS,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    later = START_MS + MINUTE_MS
    rows = receipts(receipt(7, later, fetched_ms=later))
    site.tick(RECEIPTS, rows, now_ms=later)
    assert said(RECEIPTS, on_hub(RECEIPTS, site.hub)) == said(RECEIPTS, rows)


def test_sealed_files_are_read_once_for_each_content(site: Site, server: HubServer) -> None:
    old = START_MS - 40 * DAY_MS
    site.tick(INCIDENTS, incidents(incident("a", old, fetched_ms=START_MS)), now_ms=START_MS)
    new = START_MS + 30_000
    site.tick(INCIDENTS, incidents(incident("new", new, fetched_ms=new)), now_ms=new)  # which folds what is old
    server.faults.seen.clear()
    for minute in (1, 2):
        now_ms = START_MS + minute * MINUTE_MS
        site.tick(INCIDENTS, incidents(incident(f"new-{minute}", now_ms, fetched_ms=now_ms)), now_ms=now_ms)
    assert "data/2025-10.parquet" in paths_on_hub(INCIDENTS, site.hub)
    assert not [one for one in server.faults.seen if "/2025-10" in one]


def test_a_sealed_file_that_another_writer_emptied_is_no_loss(new_site: Callable[[str], Site]) -> None:
    old, later = START_MS - 40 * DAY_MS, START_MS + MINUTE_MS
    one, other = new_site("one"), new_site("other")
    one.tick(INCIDENTS, incidents(incident("a", old, fetched_ms=START_MS)), now_ms=START_MS)
    moved = incidents(incident("a", later, fetched_ms=later))
    other.tick(INCIDENTS, moved, now_ms=later)
    one.tick(INCIDENTS, incidents(incident("b", later, fetched_ms=later)), now_ms=later + MINUTE_MS)
    with Cache.open(one.cache_path) as cache:
        assert losses.owed(INCIDENTS, repo=one.hub.repo_url(INCIDENTS), cache=cache) == 0
        assert cache.series(INCIDENTS).last_times() == {(): later}, "the source need not fill the history anew"
    assert on_hub(INCIDENTS, one.hub)["incident_id"].to_list() == ["a", "b"]


@pytest.mark.parametrize("spec", FOREIGN, ids=lambda spec: spec.name)
def test_a_sealed_file_somebody_removed_is_put_back(site: Site, spec: DatasetSpec) -> None:
    old = START_MS - 20 * DAY_MS
    rows = {
        "incidents": incidents(*(incident(name, old, fetched_ms=START_MS) for name in "abc")),
        "receipts": receipts(*(receipt(number, old, fetched_ms=START_MS) for number in (1, 2, 3000))),
    }[spec.name]
    site.tick(spec, rows, now_ms=START_MS)
    path = next(path for path in paths_on_hub(spec, site.hub) if "live" not in path)
    site.hub.commit(spec, writes={}, deletes=[path], message="by hand", parent=site.hub.head(spec))
    for minute in (1, 2):
        now_ms = START_MS + minute * MINUTE_MS
        new = {
            "incidents": incidents(incident(f"new-{minute}", now_ms, fetched_ms=now_ms)),
            "receipts": receipts(receipt(9000 + minute, now_ms, fetched_ms=now_ms)),
        }[spec.name]
        rows = pl.concat([rows, new])
        site.tick(spec, new, now_ms=now_ms)
    assert_settled(spec, site, rows)


def test_a_sealed_range_somebody_changed_is_mended(site: Site) -> None:
    old = START_MS - 20 * DAY_MS
    rows = receipts(*(receipt(number, old, fetched_ms=START_MS) for number in (1, 2, 1000, 2000)))
    site.tick(RECEIPTS, rows, now_ms=START_MS)
    path = "data/000000000000-000000000999.parquet"
    cut = layout.write(RECEIPTS, rows[:1])
    site.hub.commit(RECEIPTS, writes={path: cut}, deletes=[], message="by hand", parent=site.hub.head(RECEIPTS))
    later = START_MS + MINUTE_MS
    new = receipts(receipt(9000, later, fetched_ms=later))
    site.tick(RECEIPTS, new, now_ms=later)
    assert_settled(RECEIPTS, site, pl.concat([rows, new]))


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_window_of_a_repo_without_a_card_begins_after_its_newest_sealed_row(
    new_site: Callable[[str], Site], newest_first: bool
) -> None:
    """Names of ranges do not tell which file holds the newest time."""
    old, newest = START_MS - 20 * DAY_MS, START_MS - 2 * DAY_MS
    times = (newest, old) if newest_first else (old, newest)
    rows = receipts(*(receipt(n, at_ms, fetched_ms=START_MS) for n, at_ms in zip((1, 5000), times, strict=True)))
    site = new_site("one")
    site.tick(RECEIPTS, rows, now_ms=START_MS)
    head = site.hub.head(RECEIPTS)
    site.hub.commit(RECEIPTS, writes={}, deletes=[CARD_PATH], message="by hand", parent=head)
    with Cache.open(new_site("other").cache_path) as cache:
        seen = look(site.work(RECEIPTS, cache=cache, now_ms=START_MS))
    assert (seen.window_start, seen.rows) == (Period.HOUR.end(newest), 2), "its hour is sealed, so all of it is"
