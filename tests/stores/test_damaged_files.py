"""A sealed file that is no parquet any more: it is left as it is and named, and all other rows go to the Hub."""

import io
import logging
from collections.abc import Callable

import polars as pl
import pyarrow.parquet as pq
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubFileDamaged, HubUnavailable
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.card import CARD_PATH
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import losses
from datahub_assets.stores.recovery.rebuild import rebuild
from localhub.testing import HubServer
from tests.datasets.foreign import INCIDENTS
from tests.earlier_form import earlier
from tests.stores.earlier_world import assert_one_form, upgraded
from tests.stores.foreign_world import incident, incidents, listed
from tests.stores.world import START_MS, Site, candles, content, in_cache, on_hub, paths_on_hub

SEALED = "data/1h/2025-10.parquet"
LATER_MS = START_MS + MINUTE_MS


def cut(whole: bytes) -> bytes:
    """Its end, where the footer is, is missing."""
    return whole[: len(whole) // 2]


def broken_page(whole: bytes) -> bytes:
    """The header of a page is none any more; the footer is sound."""
    chunk = pq.read_metadata(io.BytesIO(whole)).row_group(0).column(6)
    place = min(filter(None, (chunk.data_page_offset, chunk.dictionary_page_offset)))
    return whole[:place] + b"\xff" * 16 + whole[place + 16 :]


DAMAGES = {"cut": cut, "empty": lambda _: b"", "text": lambda _: b"<html>Not found</html>"}


@pytest.fixture
def filled(site: Site) -> Site:
    """A repo of candles with sealed files."""
    rows = [candles(START_MS, pairs=2, back=back, intervals=[name]) for name, back in (("1h", 60 * 24), ("1d", 500))]
    site.tick(OHLC, pl.concat(rows), now_ms=START_MS)
    return site


def put(site: Site, path: str, data: bytes, *, spec: DatasetSpec = OHLC) -> str:
    """By hand, past the publisher."""
    parent = site.hub.head(spec)
    return site.hub.commit(spec, writes={path: data}, deletes=[], message="by hand", parent=parent)


def read(site: Site, path: str, *, revision: str | None = None) -> bytes:
    return site.hub.read(OHLC, path, revision=revision or site.hub.head(OHLC))


def unreadable(site: Site, spec: DatasetSpec = OHLC) -> set[str]:
    with Cache.open(site.cache_path) as cache:
        seen = cache.repo(spec).load()
    assert seen is not None
    return seen.unreadable


def asked_for(server: HubServer, path: str) -> int:
    return sum(path in one for one in server.faults.seen)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    return [one for one in found if "left as it is" in one]


def tick(site: Site, minute: int) -> pl.DataFrame:
    """One more minute, all of which must arrive."""
    rows = candles(START_MS + minute * MINUTE_MS, pairs=2, back=0)
    published = site.tick(OHLC, rows, now_ms=START_MS + minute * MINUTE_MS)
    assert (published.reason, published.rows) == (None, rows.height)
    return rows


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("upgrade", [True, False], ids=["before an upgrade", "beside us"])
def test_everything_else_goes_on(
    filled: Site, server: HubServer, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes], upgrade: bool
) -> None:
    put(filled, SEALED, damage(read(filled, SEALED)))
    if upgrade:
        upgraded(OHLC, filled, paths=[path for path in paths_on_hub(OHLC, filled.hub) if path != SEALED])
    left = read(filled, SEALED)
    caplog.clear()

    tick(filled, 1)
    assert read(filled, SEALED) == left
    assert unreadable(filled) == {SEALED}
    (told,) = warnings(caplog)
    assert f"{SEALED} at " in told
    assert "Put back an earlier version of it on the Hub, or delete it there" in told
    assert_one_form(OHLC, filled.hub, without={SEALED})

    caplog.clear()
    server.faults.seen.clear()
    tick(filled, 2)
    reason = filled.publish(OHLC, now_ms=START_MS + 3 * MINUTE_MS).reason
    assert reason == "nothing changed since the last commit", "it is no reason to publish"
    put(filled, "notes.txt", b"the head is looked at again")
    tick(filled, 4)
    assert asked_for(server, SEALED) == 0
    assert warnings(caplog) == []


def test_several_at_once_are_all_left(filled: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Found one way or the other: by a footer, and on the way of writing the file anew."""
    sealed = [path for path in paths_on_hub(OHLC, filled.hub) if is_sealed(OHLC, path)]
    for path, damage in zip(sealed, [broken_page, cut, broken_page], strict=False):
        put(filled, path, damage(earlier(read(filled, path))))
    upgraded(OHLC, filled, paths=[path for path in paths_on_hub(OHLC, filled.hub) if path not in sealed[:3]])
    caplog.clear()
    tick(filled, 1)
    assert unreadable(filled) == set(sealed[:3])
    assert len(warnings(caplog)) == 3
    assert_one_form(OHLC, filled.hub, without=set(sealed[:3]))


@pytest.mark.parametrize("form", [lambda whole: whole, earlier], ids=["today's", "an earlier one"])
def test_a_file_that_is_mended_is_looked_at_anew(filled: Site, form: Callable[[bytes], bytes]) -> None:
    whole, before = read(filled, SEALED), on_hub(OHLC, filled.hub)
    put(filled, SEALED, cut(whole))
    tick(filled, 1)
    with Cache.open(filled.cache_path) as cache:
        seen = cache.repo(OHLC).load()
        assert seen is not None
        owed = losses.owed(OHLC, repo=seen.repo, cache=cache)
    assert owed == pq.read_metadata(io.BytesIO(whole)).num_rows, "its rows count as lost"
    put(filled, SEALED, form(whole))
    new = tick(filled, 2)
    assert unreadable(filled) == set()
    assert_one_form(OHLC, filled.hub)
    held = on_hub(OHLC, filled.hub)
    assert held.height == before.height
    assert held.equals(in_cache(OHLC, filled.cache_path))
    assert content(OHLC, held) >= content(OHLC, new)
    with Cache.open(filled.cache_path) as cache:
        assert losses.owed(OHLC, repo=seen.repo, cache=cache) == 0


def test_without_a_card_the_window_begins_where_it_was(filled: Site) -> None:
    """The newest sealed file, whose rows would tell where, is the one that is damaged."""
    with Cache.open(filled.cache_path) as cache:
        known = cache.repo(OHLC).load()
    newest = "data/1h/2025-11.parquet"
    put(filled, newest, b"PAR1")
    filled.hub.commit(OHLC, writes={}, deletes=[CARD_PATH], message="by hand", parent=filled.hub.head(OHLC))
    tick(filled, 1)
    assert unreadable(filled) == {newest}
    with Cache.open(filled.cache_path) as cache:
        seen = cache.repo(OHLC).load()
    assert known is not None
    assert seen is not None
    assert seen.window_start == known.window_start


def test_a_file_that_is_deleted_comes_again_from_the_cache(filled: Site) -> None:
    before = on_hub(OHLC, filled.hub)
    put(filled, SEALED, b"")
    tick(filled, 1)
    filled.hub.commit(OHLC, writes={}, deletes=[SEALED], message="by hand", parent=filled.hub.head(OHLC))
    filled.tick(OHLC, candles(START_MS + 2 * MINUTE_MS, pairs=2, back=0), now_ms=START_MS + 2 * MINUTE_MS)
    assert unreadable(filled) == set()
    assert on_hub(OHLC, filled.hub).height == before.height


@pytest.mark.parametrize("damage", [cut, broken_page])
def test_rows_that_belong_in_it_wait_and_the_error_says_what_to_do(
    filled: Site, damage: Callable[[bytes], bytes]
) -> None:
    """They cannot be merged with what nobody can read. All that waits goes out once the file is mended."""
    whole = read(filled, SEALED)
    put(filled, SEALED, damage(whole))
    late = layout.read(OHLC, whole, name=SEALED).head(1)
    late = late.with_columns(close=pl.col("close") + 0.25, ingested_at=pl.col("ingested_at") + pl.duration(minutes=2))
    for _ in range(2):
        with pytest.raises(HubFileDamaged, match=rf"{SEALED} at .* is damaged.* Put back an earlier version"):
            filled.tick(OHLC, late, now_ms=START_MS + 2 * MINUTE_MS)
    put(filled, SEALED, whole)
    filled.publish(OHLC, now_ms=START_MS + 3 * MINUTE_MS)
    assert content(OHLC, on_hub(OHLC, filled.hub)) >= content(OHLC, late)


def test_an_answer_that_comes_in_part_is_not_taken_for_damage(
    filled: Site, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded(OHLC, filled)
    server.faults.answer(416, error="no", on=f"GET .*{SEALED}", times=1)
    real = Hub.read

    def half(hub: Hub, spec: DatasetSpec, path: str, *, revision: str) -> bytes:
        whole = real(hub, spec, path, revision=revision)
        return cut(whole) if path == SEALED else whole

    with monkeypatch.context() as patch:
        patch.setattr(Hub, "read", half)
        with pytest.raises(HubUnavailable, match=f"{SEALED} at .* came with other content"):
            filled.publish(OHLC, now_ms=LATER_MS)
    assert unreadable(filled) == set()
    filled.publish(OHLC, now_ms=LATER_MS)
    assert unreadable(filled) == set()
    assert_one_form(OHLC, filled.hub)


@pytest.mark.parametrize("damage", [cut, broken_page])
def test_a_cache_made_anew_goes_on_without_its_rows(
    filled: Site, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    whole = read(filled, SEALED)
    held = layout.read(OHLC, whole, name=SEALED)
    before = in_cache(OHLC, filled.cache_path).join(held, on=OHLC.key, how="anti")
    put(filled, SEALED, damage(whole))
    filled.cache_path.unlink()
    rebuild(filled.cache_path, (OHLC,), hub=filled.hub, landing=filled.home / "landing", now_ms=LATER_MS)
    assert len(warnings(caplog)) == 1
    assert unreadable(filled) == {SEALED}
    mine = in_cache(OHLC, filled.cache_path)
    assert mine.height == before.filter(OHLC.time_ms() >= LATER_MS - OHLC.retention_ms).height
    tick(filled, 2)


@pytest.fixture
def _listed() -> object:
    yield from listed(INCIDENTS)


@pytest.mark.usefixtures("_listed")
def test_where_keys_move_rows_that_it_held_wait_and_others_go_out(site: Site) -> None:
    old_ms = START_MS - 40 * 24 * HOUR_MS
    site.tick(INCIDENTS, incidents(incident("a", old_ms, fetched_ms=START_MS)), now_ms=START_MS)
    (path,) = (path for path in paths_on_hub(INCIDENTS, site.hub) if is_sealed(INCIDENTS, path))
    put(site, path, b"PAR1 not really", spec=INCIDENTS)
    new = incidents(incident("b", LATER_MS, fetched_ms=LATER_MS))
    assert site.tick(INCIDENTS, new, now_ms=LATER_MS).rows == 1
    assert unreadable(site, INCIDENTS) == {path}
    moved = incidents(incident("a", LATER_MS, fetched_ms=LATER_MS))
    with pytest.raises(HubFileDamaged, match=path):
        site.tick(INCIDENTS, moved, now_ms=LATER_MS + MINUTE_MS)
