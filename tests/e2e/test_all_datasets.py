"""All datasets at once with real processes, while feeds and nodes misbehave in the ways that real ones were seen to.

One stack for all; what upstreams do to it happens in the fixtures, once, and the tests look at what became of it.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from datahub_assets.datasets.registry import DATASETS
from tests.api.following import Event, Follower
from tests.e2e.stack import Stack
from tests.fakes import Clock, FakeBinance, FakeCoinGecko, FakeFeeds, Story
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.nodes.ethereum import UNFINAL
from tests.fakes.server import Request

pytestmark = pytest.mark.timeout(600)

TICK_S = 8
NOW = datetime.now(UTC).replace(microsecond=0)
ETHEREUM_HEAD, BITCOIN_HEAD = 24_000_200, 930_030
BAD_FEEDS = {
    "doctype": "XML with a DOCTYPE, which is not read",
    "bomb": "XML with a DOCTYPE, which is not read",
    "huge": "answered more than 5242880 bytes",
    "latin": "not well-formed",
    "page": "a page for people",
    "hanging": "did not answer in time",
}
"""Feeds that are none, by their names, and what is told of them."""
LAGS = 10


def story(number: int, about: str, *, hours: int, date: str | None = None) -> Story:
    date = date or format_datetime(NOW - timedelta(hours=hours))
    return Story(f"{about} story {number}", f"https://press.example/{number}?utm_source=rss", f"id-{number}", date)


FIRST = (story(1, "Bitcoin", hours=2), story(2, "Ethereum", hours=3), story(3, "Weather", hours=40))
UNDATED = story(4, "Bitcoin", hours=0, date="Sep 25")


@dataclass
class Upstreams:
    """All of them; of nodes there are two for each chain, of which the first cannot be believed."""

    coingecko: FakeCoinGecko
    binance: FakeBinance
    feeds: FakeFeeds
    late: FakeEthereum
    ethereum: FakeEthereum
    odd: FakeBitcoin
    bitcoin: FakeBitcoin

    @property
    def environ(self) -> dict[str, str]:
        named = {path: f"{path.split('/')[1]}={self.feeds.url}{path}" for path in self.feeds.feeds}
        return {
            "COINGECKO_BASE_URL": f"{self.coingecko.url}/api/v3",
            "BINANCE_BASE_URLS": self.binance.url,
            "DATAHUB_NEWS_FEEDS": ",".join(named.values()),
            "DATAHUB_ETHEREUM_RPC_URLS": f"{self.late.url},{self.ethereum.url}",
            "DATAHUB_BITCOIN_API_URLS": f"{self.odd.url}/api,{self.bitcoin.url}/api",
            "DATAHUB_COINS": "6",
            "DATAHUB_SYMBOLS": "BTCUSDT,ETHUSDT",
            "DATAHUB_INTERVALS": "1h",
            "DATAHUB_HISTORY_CANDLES": "10",
        }

    def publish(self, *stories: Story) -> None:
        self.feeds.publish("/press/rss", list(stories))


@contextmanager
def upstreams() -> Iterator[Upstreams]:
    clock = Clock()
    begin_s = round(NOW.timestamp())
    ethereum = MadeChain(
        first=ETHEREUM_HEAD - 200, head=ETHEREUM_HEAD, begin_s=begin_s - 20_000, every_s=12, prefix="0x"
    )
    bitcoin = MadeChain(first=BITCOIN_HEAD - 30, head=BITCOIN_HEAD, begin_s=begin_s - 50_000, every_s=600)
    with (
        FakeCoinGecko(clock=clock, coin_count=6) as coingecko,
        FakeBinance(clock=clock, usdt_pairs=4, moving=True) as binance,
        FakeFeeds(clock=clock) as feeds,
        FakeEthereum(chain=ethereum) as late,
        FakeEthereum(chain=ethereum) as good,
        FakeBitcoin(chain=bitcoin) as odd,
        FakeBitcoin(chain=bitcoin) as explorer,
    ):
        late.set_lag(blocks=LAGS)
        odd.fail("html", times=None)
        told = Upstreams(coingecko, binance, feeds, late, good, odd, explorer)
        told.publish(*FIRST, UNDATED)
        feeds.publish("/blog/atom", [story(5, "Ethereum", hours=1, date=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")], atom=True)
        for name, fault in (
            *(("doctype", "doctype"), ("bomb", "bomb"), ("huge", "huge"), ("latin", "wrong_encoding")),
            ("hanging", "hanging"),
        ):
            feeds.publish(f"/{name}/rss", list(FIRST))
            feeds.fail(fault, times=None, path=f"/{name}/")
        feeds.set_body("/page/rss", b"<!DOCTYPE html><html><body>We have moved</body></html>")
        yield told


@dataclass
class Hub:
    """The running stack and its upstreams."""

    stack: Stack
    upstreams: Upstreams
    began: dict[str, str] = field(default_factory=dict)

    def rows(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """Rows that the API serves; none while it has no commit."""
        return self.stack.get(f"/api/hub/{name}", limit=1000, **params) or []

    def blocks(self, chain: str) -> dict[int, str]:
        """Hashes by number."""
        return {row["number"]: row["hash"] for row in self.rows("blocks", chain=chain)}

    def revisions(self) -> dict[str, str]:
        status = self.stack.get("/api/hub/status")
        return {name: one["revision"] for name, one in status["datasets"].items()}

    def notices(self, name: str) -> str:
        """What the last runs of a chain warned of."""
        status = json.loads((self.stack.home / "worker-status.json").read_text())
        return "\n".join(notice["text"] for notice in status["chains"][name]["notices"])

    def sql(self, statement: str) -> Any:
        return self.stack.get("/api/hub/sql", q=statement)

    def cached(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.stack.home / 'cache.sqlite3'}?mode=ro", uri=True)) as cache:
            return cache.execute(statement, values).fetchall()

    def as_told(self, chain: str) -> dict[int, str]:
        """The blocks that must be there: from the one that was final at first to the newest."""
        made = self.upstreams.ethereum.chain if chain == "ethereum" else self.upstreams.bitcoin.chain
        begin = ETHEREUM_HEAD - UNFINAL if chain == "ethereum" else BITCOIN_HEAD - 5
        found = {number: made.block(number) for number in range(begin, made.head + 1)}
        return {number: block.hash for number, block in found.items() if block is not None}

    def has_begun(self) -> bool:
        """Whether there are rows of all datasets; of news those of both feeds, with their coins."""
        told = self.stack.get("/api/hub/status")["datasets"]
        coins = [row["coins"] for row in self.rows("news")]
        return (
            all(one["records"] for one in told.values())
            and len(coins) == len(FIRST) + 1
            and None not in coins
            and all(self.stack.ticks_done().values())
        )

    def has_all_blocks(self) -> bool:
        return all(self.blocks(chain) == self.as_told(chain) for chain in ("ethereum", "bitcoin"))


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
