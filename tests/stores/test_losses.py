"""What somebody else takes from a repo goes there again from the cache, and what cannot is not hidden."""

import logging
from collections.abc import Callable

import polars as pl
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.checks import read_back
from datahub_assets.domain.files.data_files import is_data, is_small
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.card import CARD_PATH, read_summary
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import losses
from datahub_assets.stores.publish.head import look_and_mend
from localhub.testing import HubServer
from tests.stores.world import CORRECTIONS, START_MS, Site, candles, in_cache, ledger_on_hub, market, on_hub

FETCH: dict[str, Callable[[int], pl.DataFrame]] = {MARKET.name: market, OHLC.name: candles}


def filled(site: Site, spec: DatasetSpec, *, hours: int = 4) -> int:
    """A repo with sealed and small files; returns the time of its last tick."""
    now_ms = START_MS
    for hour in range(hours):
        for minute in (0, 30):
            now_ms = START_MS + hour * HOUR_MS + minute * MINUTE_MS
            site.tick(spec, FETCH[spec.name](now_ms), now_ms=now_ms)
    return now_ms


def files_of(site: Site, spec: DatasetSpec) -> list[str]:
    return sorted(path for path in site.hub.files(spec, revision=site.hub.head(spec)) if is_data(path))


def delete(hub: Hub, spec: DatasetSpec, path: str) -> None:
    hub._api.delete_file(path, hub.repo_id(spec), repo_type="dataset")


def shorten(server: HubServer, hub: Hub, spec: DatasetSpec, path: str) -> None:
    frame = layout.read(spec, hub.read(spec, path, revision="main"), name=path)
    server.commit(hub.repo_id(spec), {path: layout.write(spec, frame.head(1))})


def assert_honest(site: Site, spec: DatasetSpec, *, rows: int) -> None:
    """The rows there are, remembered and told."""
    assert on_hub(spec, site.hub).height == rows
    with Cache.open(site.cache_path) as cache:
        known = cache.repo(spec).load()
    told = read_summary(site.hub.read(spec, CARD_PATH, revision="main"))
    assert known is not None
    assert told is not None
    assert known.rows == told.rows == rows


@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
@pytest.mark.parametrize("deed", ["deleted", "shortened"])
@pytest.mark.parametrize("kind", ["small", "sealed"])
def test_rows_that_vanish_are_put_back(site: Site, server: HubServer, spec: DatasetSpec, deed: str, kind: str) -> None:
    now_ms = filled(site, spec)
    chosen = [path for path in files_of(site, spec) if is_small(spec, path) == (kind == "small")]
    assert chosen
    for path in chosen:
        if deed == "deleted":
            delete(site.hub, spec, path)
        else:
            shorten(server, site.hub, spec, path)
    assert on_hub(spec, site.hub).height < in_cache(spec, site.cache_path).height

    now_ms += MINUTE_MS
    site.tick(spec, FETCH[spec.name](now_ms), now_ms=now_ms)
    cached = in_cache(spec, site.cache_path)
    assert on_hub(spec, site.hub).equals(cached)
    assert_honest(site, spec, rows=cached.height)


@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
def test_a_repo_restored_from_a_backup_gets_what_came_since(site: Site, spec: DatasetSpec) -> None:
    now_ms = filled(site, spec, hours=2)
    head = site.hub.head(spec)
    backup = {path: site.hub.read(spec, path, revision=head) for path in site.hub.files(spec, revision=head)}
    for _ in range(3):
        now_ms += 40 * MINUTE_MS
        site.tick(spec, FETCH[spec.name](now_ms), now_ms=now_ms)
    newer = site.hub.files(spec, revision="main").keys() - backup.keys()
    site.hub._api.create_commit(
        site.hub.repo_id(spec),
        [
            *(CommitOperationAdd(path, content) for path, content in backup.items()),
            *(CommitOperationDelete(path) for path in newer),
        ],
        commit_message="Restore",
        repo_type="dataset",
    )
    now_ms += MINUTE_MS
    site.tick(spec, FETCH[spec.name](now_ms), now_ms=now_ms)
    cached = in_cache(spec, site.cache_path)
    assert on_hub(spec, site.hub).equals(cached)
    assert_honest(site, spec, rows=cached.height)


def test_lines_of_a_ledger_are_put_back(site: Site) -> None:
    now_ms = filled(site, OHLC)
    changed = candles(now_ms, back=1, intervals=["1h"]).filter("closed")
    site.tick(OHLC, changed.with_columns(volume=changed["volume"] + 1), now_ms=now_ms + MINUTE_MS)
    lines = ledger_on_hub(OHLC, CORRECTIONS, site.hub)
    assert lines.height
    delete(site.hub, OHLC, CORRECTIONS.path)
    site.tick(OHLC, candles(now_ms + 2 * MINUTE_MS, back=0), now_ms=now_ms + 2 * MINUTE_MS)
    assert ledger_on_hub(OHLC, CORRECTIONS, site.hub).equals(lines)


@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
def test_rows_the_cache_has_no_more_stay_gone_and_are_not_counted(site: Site, spec: DatasetSpec) -> None:
    now_ms = filled(site, spec)
    path = next(path for path in files_of(site, spec) if is_small(spec, path) and "open" not in path)
    taken = layout.read(spec, site.hub.read(spec, path, revision="main"), name=path)
    with Cache.open(site.cache_path) as cache:
        cache.table(spec).delete("commit_id IS NOT NULL")
    delete(site.hub, spec, path)
    left = on_hub(spec, site.hub).height
    fresh = FETCH[spec.name](now_ms + MINUTE_MS)
    fresh = fresh.join(taken, on=list(spec.key), how="anti")
    added = fresh.join(on_hub(spec, site.hub), on=list(spec.key), how="anti").height
    site.tick(spec, fresh, now_ms=now_ms + MINUTE_MS)
    assert_honest(site, spec, rows=left + added)


def test_another_honest_writer_costs_a_comparison_and_no_commit(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    for spec, fetch in ((MARKET, market), (OHLC, candles)):
        now_ms = START_MS
        for _ in range(8):
            now_ms += 15 * MINUTE_MS
            for site in (one, other):
                site.tick(spec, fetch(now_ms), now_ms=now_ms)
        head = one.hub.head(spec)
        for _ in range(3):
            for site in (one, other):
                site.publish(spec, now_ms=now_ms)
        assert one.hub.head(spec) == head, "neither writes what the other wrote"
        assert_honest(one, spec, rows=on_hub(spec, other.hub).height)


def test_a_card_a_person_rewrote_is_written_anew_with_what_the_files_hold(site: Site, server: HubServer) -> None:
    now_ms = filled(site, MARKET)
    server.commit(site.hub.repo_id(MARKET), {CARD_PATH: b"# My notes\n"})
    site.tick(MARKET, market(now_ms + MINUTE_MS), now_ms=now_ms + MINUTE_MS)
    assert_honest(site, MARKET, rows=on_hub(MARKET, site.hub).height)
    told = read_summary(site.hub.read(MARKET, CARD_PATH, revision="main"))
    assert told is not None
    assert told.first == START_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS, "the oldest row, not the oldest of this commit"


@pytest.mark.parametrize("edited", [False, True], ids=["our own commit", "a card a person edits"])
def test_a_card_alone_is_not_told_as_a_change_of_rows(
    site: Site, caplog: pytest.LogCaptureFixture, edited: bool
) -> None:
    caplog.set_level(logging.INFO)
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    if edited:
        head = site.hub.head(OHLC)
        card = site.hub.read(OHLC, CARD_PATH, revision=head) + b"\nA line.\n"
        site.hub.commit(OHLC, writes={CARD_PATH: card}, deletes=[], message="by hand", parent=head)
    with Cache.open(site.cache_path) as cache:
        look_and_mend(site.work(OHLC, cache=cache, now_ms=START_MS + MINUTE_MS))
    assert "changed elsewhere" not in caplog.text


def test_a_repo_whose_rows_were_never_counted_is_counted_at_the_next_publish(site: Site) -> None:
    now_ms = filled(site, MARKET)
    with Cache.open(site.cache_path) as cache:  # as a version before left it behind, after a person rewrote the card
        cache.database.execute("UPDATE remote SET rows = NULL")
    site.tick(MARKET, market(now_ms + MINUTE_MS), now_ms=now_ms + MINUTE_MS)
    assert_honest(site, MARKET, rows=on_hub(MARKET, site.hub).height)


def test_a_loss_is_found_also_when_what_waits_would_change_nothing(site: Site) -> None:
    now_ms = filled(site, MARKET)
    rows = market(now_ms)
    with Cache.open(site.cache_path) as cache:  # fetched again, as after a cache was made anew
        cache.table(MARKET).put(rows, version=cache.next_version())
    for path in [path for path in files_of(site, MARKET) if is_small(MARKET, path)]:
        delete(site.hub, MARKET, path)
    assert site.publish(MARKET, now_ms=now_ms + MINUTE_MS).reason is None
    assert on_hub(MARKET, site.hub).equals(in_cache(MARKET, site.cache_path))


def owed(site: Site) -> int:
    with Cache.open(site.cache_path) as cache:
        known = cache.repo(MARKET).load()
        assert known is not None
        return losses.owed(MARKET, repo=known.repo, cache=cache)


def test_what_another_writer_puts_back_is_owed_no_more(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    now_ms = START_MS
    for _ in range(2):
        for site in (other, one):  # each fetches at minutes of its own
            now_ms += 2 * MINUTE_MS
            site.tick(MARKET, market(now_ms), now_ms=now_ms)
    for path in files_of(one, MARKET):
        delete(one.hub, MARKET, path)
    held = in_cache(MARKET, other.cache_path).height

    now_ms += 2 * MINUTE_MS
    one.tick(MARKET, market(now_ms), now_ms=now_ms)
    assert owed(one) == held > 0, "what was lost and is not ours to put back"
    now_ms += 2 * MINUTE_MS
    one.tick(MARKET, market(now_ms), now_ms=now_ms)
    assert owed(one) == held

    now_ms += 2 * MINUTE_MS
    other.tick(MARKET, market(now_ms), now_ms=now_ms)
    now_ms += 2 * MINUTE_MS
    one.tick(MARKET, market(now_ms), now_ms=now_ms)
    assert owed(one) == owed(other) == 0
    assert_honest(one, MARKET, rows=8 * 5)


def test_rows_of_later_times_by_another_writer_pay_for_none_that_are_gone(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    one.tick(MARKET, market(START_MS), now_ms=START_MS)
    with Cache.open(one.cache_path) as cache:
        cache.table(MARKET).delete("commit_id IS NOT NULL")
    for path in files_of(one, MARKET):
        delete(one.hub, MARKET, path)
    for minute in range(1, 7):
        now_ms = START_MS + 2 * minute * MINUTE_MS
        (other, one)[minute % 2].tick(MARKET, market(now_ms, coins=5 + minute), now_ms=now_ms)
    assert owed(one) == 5


@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
def test_a_loser_by_the_merge_rule_learns_the_better_row(new_site: Callable[[str], Site], spec: DatasetSpec) -> None:
    one, other = new_site("one"), new_site("other")
    value = "price" if spec is MARKET else "volume"
    rows = FETCH[spec.name](START_MS)
    one.tick(spec, rows, now_ms=START_MS)
    worse, better = (
        rows.with_columns(pl.col(value) + more, pl.col("ingested_at") + pl.duration(seconds=more)) for more in (1, 2)
    )
    one.store(spec, worse, now_ms=START_MS + MINUTE_MS)
    other.tick(spec, better, now_ms=START_MS + MINUTE_MS)
    one.publish(spec, now_ms=START_MS + 2 * MINUTE_MS)
    assert on_hub(spec, one.hub).equals(better.sort(spec.file_order))
    assert in_cache(spec, one.cache_path).equals(better.sort(spec.file_order))
    with Cache.open(one.cache_path) as cache:
        assert cache.waiting(spec) == 0
        assert read_back.compare(spec, cache=cache, hub=one.hub).problems == []


def test_a_forming_candle_that_was_closed_elsewhere_is_closed_here_too(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    forming = candles(START_MS, pairs=1, back=1, intervals=["1h"])
    one.tick(OHLC, forming, now_ms=START_MS)
    later = START_MS + HOUR_MS
    other.tick(OHLC, candles(later, pairs=1, back=2, intervals=["1h"]), now_ms=later)
    late = forming.filter(~pl.col("closed")).with_columns(pl.col("volume") + 1)  # landed long ago, taken in now
    one.tick(OHLC, late, now_ms=later)
    with Cache.open(one.cache_path) as cache:
        (coverage,) = cache.gaps(OHLC).coverages().values()
        assert coverage.until == START_MS // HOUR_MS * HOUR_MS
        assert cache.table(OHLC).count("NOT closed") == 0
