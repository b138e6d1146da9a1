"""All datasets at once with real processes, while feeds and nodes misbehave in the ways that real ones were seen to.

One stack for all; what upstreams do to it happens in the fixtures, once, and the tests look at what became of it.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from datahub_assets.datasets.registry import DATASETS
from tests.api.following import Event, Follower
from tests.e2e.misbehaving import BITCOIN_HEAD, ETHEREUM_HEAD, FIRST, LAGS, Hub, story, upstreams
from tests.e2e.stack import Stack
from tests.fakes.nodes.ethereum import UNFINAL
from tests.fakes.server import Request

pytestmark = pytest.mark.timeout(600)

TICK_S = 8
BAD_FEEDS = {
    "doctype": "XML with a DOCTYPE, which is not read",
    "bomb": "XML with a DOCTYPE, which is not read",
    "huge": "answered more than 5242880 bytes",
    "latin": "not well-formed",
    "page": "a page for people",
    "hanging": "did not answer in time",
}
"""Feeds that are none, by their names, and what is told of them."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """All six datasets collected, and served for the first time."""
    with (
        upstreams() as told,
        Stack(tmp_path_factory.mktemp("all") / "home", upstreams=told.environ, tick_s=TICK_S) as stack,
    ):
        hub = Hub(stack, told)
        stack.wait_for(hub.has_begun, "rows of all datasets")
        hub.began = hub.revisions()
        yield hub


def test_all_that_there_are_are_collected(hub: Hub) -> None:
    assert set(hub.stack.ticks_done()) == set(DATASETS)
    assert all(hub.stack.ticks_done().values())


def test_rows_are_served_as_upstream_said_them(hub: Hub) -> None:
    assert {(row["source"], row["title"], tuple(row["coins"])) for row in hub.rows("news")} == {
        ("press", "Bitcoin story 1", ("bitcoin",)), ("press", "Ethereum story 2", ("ethereum",)),
        ("press", "Weather story 3", ()), ("blog", "Ethereum story 5", ("ethereum",)),
    }  # fmt: skip
    assert hub.has_all_blocks()
    said = {row["symbol"]: (row["status"], row["listed"]) for row in hub.rows("listings")}
    assert said == {name: (one.status, True) for name, one in hub.upstreams.binance.listings.items()}
    networks = {row["chain"]: row for row in hub.rows("network")}
    assert (networks["bitcoin"]["fee_fastest"], networks["bitcoin"]["block_number"]) == (9, BITCOIN_HEAD)
    assert networks["ethereum"]["block_number"] == ETHEREUM_HEAD
    assert len(hub.rows("market")) == 6
    assert len(hub.rows("ohlc", symbol="BTCUSDT", interval="1h")) >= 10, "one more when an hour has ended"


def test_a_feed_that_is_none_is_told_and_costs_the_others_nothing(hub: Hub) -> None:
    ((note,),) = hub.cached("SELECT value FROM notes WHERE dataset = 'news' AND name = 'feeds'")
    states = {url.split("/")[-2]: state for url, state in json.loads(note).items()}
    for name, told in BAD_FEEDS.items():
        assert told in states[name]["error"]
        assert states[name]["failures"] >= 1
    assert not states["press"].get("error")


def test_an_item_without_a_full_date_waits_in_quarantine(hub: Hub) -> None:
    assert [(subject, "Sep 25" in reason) for subject, reason in hub.cached(
        "SELECT subject, reason FROM quarantine WHERE dataset = 'news'"
    )] == [("press", True)]  # fmt: skip


def test_feeds_are_asked_for_what_is_new(hub: Hub) -> None:
    """After the first answer each question names the version that is known, and 304 makes no commit."""

    def asked() -> list[Request]:
        return [one for one in hub.upstreams.feeds.requests if one.path == "/press/rss"]

    before = len(asked())
    hub.stack.wait_for(lambda: len(asked()) > before + 1, "two more questions")
    assert all("if-none-match" in one.headers for one in asked()[1:])
    assert hub.revisions()["news"] == hub.began["news"]


def test_a_node_that_lags_behind_the_other_is_not_believed(hub: Hub) -> None:
    assert max(hub.blocks("ethereum")) == ETHEREUM_HEAD
    assert f"{LAGS} blocks behind" in hub.notices("blocks")
    assert not [one for one in hub.upstreams.late.requests if one.path == "/eth_getBlockByNumber"]


def test_an_explorer_that_answers_pages_leaves_it_to_the_next(hub: Hub) -> None:
    assert "answered HTML" in hub.notices("blocks")
    assert max(hub.blocks("bitcoin")) == BITCOIN_HEAD


@dataclass(frozen=True)
class Changed:
    """What became of a change of everything at once."""

    before: dict[str, str]
    hash_before: str
    events: list[Event]


@pytest.fixture(scope="module")
def changed(hub: Hub) -> Changed:
    """A title is edited, and blocks are new, of which the lowest takes the place of a stored one that is not final."""
    told, stack = hub.upstreams, hub.stack
    before, hash_before = hub.revisions(), hub.blocks("ethereum")[ETHEREUM_HEAD]
    follower = Follower(
        str(stack.api.base_url), (stack.home / "token").read_text().strip(), silence_s=60, dataset="news,blocks"
    )
    try:
        assert follower.next().name == "ready"
        told.publish(story(1, "Ethereum", hours=2), *FIRST[1:])
        for node in (told.ethereum, told.bitcoin):
            node.grow(blocks=2)
        told.ethereum.replace(blocks=5)
        wanted = {"news": "Ethereum story 1", "blocks": hub.as_told("ethereum")[ETHEREUM_HEAD]}
        stack.wait_for(
            lambda: hub.has_all_blocks() and wanted["news"] in {row["title"] for row in hub.rows("news")}, "the change"
        )
        events: list[Event] = []
        while wanted:
            events.append(follower.next())
            wanted = {name: text for name, text in wanted.items() if text not in json.dumps(events[-1].data)}
    finally:
        follower.close()
    return Changed(before, hash_before, events)


def test_an_edited_title_is_a_correction(hub: Hub, changed: Changed) -> None:
    lines = hub.sql("SELECT * FROM corrections WHERE dataset = 'news' AND \"column\" = 'title'")
    assert [(line["old"], line["new"]) for line in lines] == [("Bitcoin story 1", "Ethereum story 1")]
    (row,) = [row for row in hub.rows("news", q="story 1") if row["title"] == "Ethereum story 1"]
    assert json.loads(lines[0]["key"]) == {"news_id": row["news_id"]}
    assert row["coins"] == ["ethereum"]


def test_a_block_that_was_replaced_is_a_correction(hub: Hub, changed: Changed) -> None:
    lines = hub.sql("SELECT * FROM corrections WHERE dataset = 'blocks' AND \"column\" = 'hash'")
    told = {json.loads(line["key"])["number"]: (line["old"], line["new"]) for line in lines}
    now = hub.as_told("ethereum")
    assert told[ETHEREUM_HEAD] == (changed.hash_before, now[ETHEREUM_HEAD])
    assert set(told) == {ETHEREUM_HEAD - 2, ETHEREUM_HEAD - 1, ETHEREUM_HEAD}


def test_what_changed_is_told_between_commits(hub: Hub, changed: Changed) -> None:
    differences = {
        name: hub.stack.get("/api/hub/diff", dataset=name, **{"from": sha}) for name, sha in changed.before.items()
    }
    (edited,) = differences["news"]["changed"]
    assert (edited["before"]["title"], edited["after"]["title"]) == ("Bitcoin story 1", "Ethereum story 1")
    assert differences["news"]["counts"] == {"added": 0, "changed": 1, "removed": 0}
    assert differences["blocks"]["counts"]["added"] == 4
    assert differences["blocks"]["counts"]["removed"] == 0
    assert differences["listings"]["counts"] == {"added": 0, "changed": 0, "removed": 0}


def test_what_changed_is_streamed(changed: Changed) -> None:
    assert {event.name for event in changed.events} == {"commit"}
    assert {event.data["dataset"] for event in changed.events} == {"news", "blocks"}


def test_datasets_are_joined_by_sql(hub: Hub, changed: Changed) -> None:
    joined = hub.sql(
        "SELECT n.chain, n.block_number, b.hash FROM network n JOIN blocks b ON b.chain = n.chain "
        "AND b.number = n.block_number ORDER BY n.timestamp DESC LIMIT 20"
    )
    assert {row["chain"] for row in joined} == {"ethereum", "bitcoin"}
    named = hub.sql("SELECT count(DISTINCT news_id) AS named FROM news JOIN market ON list_contains(coins, coin_id)")
    assert named == [{"named": 3}]


CONFIGS = {
    "news": ("default", "corrections"),
    "blocks": ("default", "corrections"),
    "network": ("default",),
    "listings": ("default",),
}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        pytest.param(name, config, marks=[] if (name, config) == ("blocks", "corrections") else pytest.mark.slow)
        for name, configs in CONFIGS.items()
        for config in configs
    ],
)
def test_load_dataset_reads_it_by_config(hub: Hub, changed: Changed, name: str, config: str) -> None:
    spec = DATASETS[name]
    revision = hub.stack.head(spec.repo_name)
    loaded = hub.stack.load_dataset(f"local/{spec.repo_name}", config, revision=revision)
    table = name if config == "default" else f"{config} WHERE dataset = '{name}'"
    (counted,) = hub.stack.get("/api/hub/sql", q=f"SELECT count(*) AS lines FROM {table}", revision=revision)  # noqa: S608
    assert len(loaded) == counted["lines"] > 0


def commits(hub: Hub) -> dict[str, int]:
    return {name: len(hub.stack.commits(spec.repo_name)) for name, spec in DATASETS.items()}


@pytest.mark.slow
def test_a_block_nobody_knows_yet_and_errors_within_200_only_delay(hub: Hub) -> None:
    told, stack = hub.upstreams, hub.stack
    told.ethereum.grow(blocks=3)
    missing = told.ethereum.chain.head - 1
    told.ethereum.set_block(number=missing, fields=None)
    stack.wait_for(lambda: max(hub.blocks("ethereum")) == missing - 1, "the block below", limit_s=60)
    told.ethereum.changes.clear()
    stack.wait_for(hub.has_all_blocks, "all blocks", limit_s=60)
    for fault in (
        {"kind": "rpc_error"},
        {"kind": "rpc_error", "code": -32600, "message": "batches are refused"},
        {"kind": "html"},
        {"kind": "null_result", "path": "/eth_getBlockByNumber"},
        {"kind": "other_call"},
    ):
        told.ethereum.fail(**fault, times=None)
        told.ethereum.grow()
        told.bitcoin.grow()
        stack.wait_for(lambda: hub.blocks("bitcoin") == hub.as_told("bitcoin"), f"Bitcoin's blocks, {fault}")
        assert told.ethereum.chain.head not in hub.blocks("ethereum"), f"nobody told it, {fault}"
        told.ethereum.recover()
        stack.wait_for(hub.has_all_blocks, f"all blocks after {fault}")


@pytest.mark.slow
def test_a_long_absence_is_caught_up_with_in_bounds(hub: Hub) -> None:
    """250 blocks are asked for a hundred at a time, and no fetch asks a node more than it may be asked in a minute."""
    node = hub.upstreams.ethereum
    asked: list[str] = []
    node.listener = lambda request, _: asked.append(request.path + request.body.decode())
    node.grow(blocks=250)
    hub.stack.wait_for(hub.has_all_blocks, "all blocks")
    node.listener = None
    fetches = "\n".join(asked).split("finalized")[1:]
    counts = [fetch.count("/eth_") + 1 for fetch in fetches]
    assert max(counts) > 100, counts
    assert max(counts) <= 120, counts


@pytest.mark.slow
def test_a_reorganisation_deeper_than_what_is_not_final_is_told_and_taken_in(hub: Hub) -> None:
    node = hub.upstreams.ethereum
    node.grow()
    hub.stack.wait_for(hub.has_all_blocks, "all blocks")
    node.replace(blocks=UNFINAL + 3)
    node.grow()
    notices: list[str] = []

    def taken_in() -> bool:
        notices.append(hub.notices("blocks"))
        return hub.has_all_blocks()

    hub.stack.wait_for(taken_in, "the chain as it is now", every_s=0.2)
    assert any("has another block" in one and "than the final one stored" in one for one in notices)


@pytest.mark.slow
def test_what_cannot_be_reached_stops_its_datasets_and_no_other(hub: Hub) -> None:
    """Five minutes without nodes: fees and load are old and are said to be; all else is as it was."""
    told, stack = hub.upstreams, hub.stack
    nodes = (told.late, told.ethereum, told.odd, told.bitcoin)
    for node in nodes:
        node.stop()
    try:
        health = stack.wait_for(
            lambda: (
                (found := stack.get("/api/health"))
                and all(any(name in reason for reason in found["reasons"]) for name in ("blocks:", "network:"))
                and found
            ),
            "a reason for both datasets",
        )
        assert {reason.split(":")[0] for reason in health["reasons"]} == {"blocks", "network"}
        others = set(DATASETS) - {"blocks", "network"}
        done, count = stack.ticks_done(), commits(hub)
        told.publish(story(6, "Weather", hours=0), *FIRST)
        stack.wait_for(lambda: commits(hub)["news"] > count["news"], "a commit of news")
        stack.wait_for(lambda: commits(hub)["ohlc"] > count["ohlc"], "a commit of candles")
        assert {name: stack.ticks_done()[name] for name in ("blocks", "network")} == {
            name: done[name] for name in ("blocks", "network")
        }
        assert hub.has_all_blocks(), "what was told before is served still"
        old = stack.wait_for(
            lambda: (
                (found := stack.get("/api/hub/health"))
                and any(reason.startswith("network: its data is") for reason in found["reasons"])
                and found
            ),
            "age in the health of the data",
            limit_s=360,
            every_s=2,
        )
        assert [name for name in others if old["datasets"][name]["status"] != "ok"] == [], old["reasons"]
        assert "network: its data is" in stack.get("/api/hub/status")["message"]
    finally:
        for node in nodes:
            node.start()
    began = time.time()
    told.ethereum.grow()
    stack.wait_for(hub.has_all_blocks, "all blocks")
    stack.wait_for(lambda: not stack.get("/api/hub/health")["reasons"], "good health")
    assert time.time() - began < 60
