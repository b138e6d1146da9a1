"""Upstreams of all datasets that misbehave as real ones were seen to, and the stack that asks them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.e2e.stack import Stack
from tests.fakes import Clock, FakeBinance, FakeCoinGecko, FakeFeeds, Story
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.nodes.ethereum import UNFINAL

NOW = datetime.now(UTC).replace(microsecond=0)
ETHEREUM_HEAD, BITCOIN_HEAD = 24_000_200, 930_030
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
