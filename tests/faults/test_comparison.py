"""The comparison notices what it is there for: a tool that finds nothing must be shown to find something."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import polars as pl
import pytest

from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.stores.hub import layout
from tests.faults.conftest import OpenWorld
from tests.faults.hubview import HubView
from tests.faults.world import World, all_succeeded

SEALED = "data/2025-12-31.parquet"


@pytest.fixture
def world(open_world: OpenWorld) -> World:
    world = open_world("roll")
    assert all_succeeded(world.light_tick())
    assert world.findings().clean
    return world


def commit(world: World, path: str, frame: pl.DataFrame) -> None:
    """Somebody commits a file of the prices, and the product takes it for its own commit."""
    world.hub.commit(f"local/{MARKET.repo_name}", {path: layout.write(MARKET, frame)})


def sealed(world: World) -> pl.DataFrame:
    with HubView(world.hub.url) as view:
        return view.commit(MARKET, world.history("market")[-1]).frames[SEALED]


def test_a_lost_row(world: World) -> None:
    commit(world, SEALED, sealed(world)[1:])
    assert world.findings().lost


@pytest.mark.slow
def test_a_row_lost_and_found_again(world: World) -> None:
    """No reader may meet a commit without it, even if a later one has it."""
    whole = sealed(world)
    commit(world, SEALED, whole[1:])
    commit(world, SEALED, whole)
    findings = world.findings()
    assert [line for line in findings.lost if "keys gone" in line]
    assert not [line for line in findings.lost if "not on the Hub" in line]


def test_a_doubled_row(world: World) -> None:
    commit(world, "data/2025-12-30.parquet", sealed(world)[:1])
    findings = world.findings()
    assert len(findings.doubled) == 2, "on the Hub and in the API"
    assert [line for line in findings.wrong if "belongs in" in line]


@pytest.mark.slow
def test_a_changed_value(world: World) -> None:
    commit(world, SEALED, sealed(world).with_columns(pl.col("price") * 2))
    assert [line for line in world.findings().wrong if "upstream never said" in line]


@pytest.mark.slow
def test_an_unsorted_file(world: World) -> None:
    commit(world, SEALED, sealed(world).reverse())
    assert [line for line in world.findings().wrong if "not sorted" in line]


def test_a_row_that_waits(world: World) -> None:
    with closing(sqlite3.connect(world.settings.cache_path)) as database:
        database.execute("UPDATE cached_market_data SET commit_id = NULL WHERE id = 1")
        database.commit()
    assert [line for line in world.findings().wrong if "have no commit" in line]


def settled(open_world: OpenWorld, group: str) -> World:
    world = open_world("roll", group=group)
    assert all_succeeded(world.light_tick())
    assert world.findings().clean
    return world


def rewrite(world: World, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Somebody commits the largest file of a dataset with this change."""
    spec = world.spec(name)
    with HubView(world.hub.url) as view:
        frames = view.commit(spec, world.history(name)[-1]).frames
    path = max(frames, key=lambda path: frames[path].height)
    world.hub.commit(f"local/{spec.repo_name}", {path: layout.write(spec, change(frames[path]))})


@pytest.mark.slow
def test_a_hole_in_a_chain(open_world: OpenWorld) -> None:
    world = settled(open_world, "chains")
    rewrite(world, "blocks", lambda rows: rows[1:])
    assert [line for line in world.findings().lost if "upstream has them" in line]


@pytest.mark.slow
def test_a_block_that_was_replaced_and_is_back(open_world: OpenWorld) -> None:
    world = open_world("roll", group="chains")
    with HubView(world.hub.url) as view:
        rows = view.commit(world.spec("blocks"), world.history("blocks")[-1]).rows(world.spec("blocks"))
    old = {row[1]: row[3] for row in rows.values() if row[0] == "ethereum"}
    assert all_succeeded(world.light_tick())
    rewrite(
        world,
        "blocks",
        lambda rows: rows.with_columns(hash=pl.col("number").replace_strict(old, default=pl.col("hash"))),
    )
    findings = world.findings()
    assert [line for line in findings.wrong if "other values than upstream" in line]
    assert [line for line in findings.wrong if "corrections not told" in line]


@pytest.mark.slow
def test_the_same_said_twice_of_a_pair(open_world: OpenWorld) -> None:
    world = settled(open_world, "listings")
    later = pl.col("changed_at") + pl.duration(seconds=1)
    rewrite(
        world,
        "listings",
        lambda rows: pl.concat([rows, rows.with_columns(changed_at=later)]).sort("symbol", "changed_at"),
    )
    assert [line for line in world.findings().doubled if "the same said twice" in line]


@pytest.mark.slow
def test_news_first_seen_anew(open_world: OpenWorld) -> None:
    world = settled(open_world, "news")
    rewrite(world, "news", lambda rows: rows.with_columns(pl.col("first_seen_at") + pl.duration(seconds=1)))
    assert [line for line in world.findings().wrong if "which stays" in line]


@pytest.mark.slow
def test_a_correction_nobody_is_told_of(open_world: OpenWorld) -> None:
    world = settled(open_world, "news")
    ledger = corrections_of(world.spec("news"))
    assert ledger is not None
    world.hub.commit(f"local/{world.spec('news').repo_name}", {ledger.path: layout.write(ledger, ledger.merge([]))})
    assert [line for line in world.findings().wrong if "corrections not told" in line]
