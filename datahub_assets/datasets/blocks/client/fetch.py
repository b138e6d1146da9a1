"""One fetch of what is new on both chains."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl

from datahub_assets.datasets.blocks.client.bitcoin import BitcoinNode
from datahub_assets.datasets.blocks.client.ethereum import EthereumNode
from datahub_assets.datasets.blocks.linked import Known, StoredBlock, first_wanted, is_replaced, whole_part
from datahub_assets.datasets.blocks.rows import block_row, hashes_of, told
from datahub_assets.datasets.blocks.spec import BITCOIN, BLOCKS, ETHEREUM
from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.datasets.items import check_items
from datahub_assets.domain.errors import SourceError, SourceMalformed
from datahub_assets.domain.rows import Checked, from_epoch_ms
from datahub_assets.domain.tables import FETCHED
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.belief import Believed, Node, believed, first_of

MOST_BLOCKS: Final = 100
"""In one fetch, which keeps a minute's requests to a node below 120 while it catches up; else a handful are new."""
_DEEPEST: Final = 100
"""So many blocks a reorganisation is followed down in one fetch."""
_FILLED: Final = 10
"""Blocks that were left out once (their node told nonsense) and are asked for again in one fetch."""


class ChainNode(Node, Protocol):
    """A node that tells blocks."""

    chain: str
    behind: int

    async def newest_final(self, head: int) -> int:
        """The number of the newest block that stays."""
        ...

    async def block(self, number: int) -> object:
        """A block as the node tells it; raises SourceError where it does not."""
        ...


@dataclass(frozen=True, slots=True)
class _New:
    """What one node told of a chain: blocks by number, up to which number all is final, and what could not be had."""

    host: str
    blocks: Mapping[int, object]
    final: int
    failed: Mapping[tuple[str, ...], SourceError] = field(default_factory=dict)


def fetch_blocks(
    settings: NodeSettings,
    *,
    held: pl.DataFrame,
    clock: Callable[[], int],
    log: logging.Logger,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask the nodes of both chains for what is new; runs an event loop of its own.

    Args:
        held: the stored blocks that are not final, and the last final ones; rows of the dataset.
        clock: this machine's time, epoch milliseconds UTC.
        backoff: attempts and pauses.

    Raises:
        SourceError: neither chain could be asked.
    """
    started = time.perf_counter()
    told_by, failed, requests = asyncio.run(_ask(settings, held, clock=clock, backoff=backoff or Backoff(attempts=2)))
    if not told_by:
        raise next(iter(failed.values()))
    now_ms = clock()
    items = [
        told(chain, block, host=new.host, finalized=number <= new.final)
        for chain, new in told_by.items()
        for number, block in new.blocks.items()
    ]
    checked = check_items(BLOCKS, items, block_row, named="chain", now_ms=now_ms)
    settled = [_settled(held, checked.frame, chain, final=new.final, now_ms=now_ms) for chain, new in told_by.items()]
    frame = pl.concat([checked.frame, *settled])
    for new in told_by.values():
        failed |= new.failed
    elapsed_s = time.perf_counter() - started
    log.info("fetched %d blocks from %s in %.1f s", checked.frame.height, " and ".join(sorted(told_by)), elapsed_s)
    report_rejected(checked.rejected, log=log)
    for named, error in failed.items():
        log.warning("%s: %s", " ".join(named), error)
    return Fetched(Checked(frame, checked.rejected), requests=requests, elapsed_s=elapsed_s, failed=failed)


def _settled(held: pl.DataFrame, fetched: pl.DataFrame, chain: str, *, final: int, now_ms: int) -> pl.DataFrame:
    """Stored blocks that are final now: those the chain has grown on, none of which was replaced."""
    settled = held.filter((pl.col("chain") == chain) & ~pl.col("finalized") & (pl.col("number") <= final)).join(
        fetched, on=list(BLOCKS.key), how="anti"
    )
    return settled.with_columns(finalized=pl.lit(value=True), **{FETCHED: from_epoch_ms(pl.lit(now_ms))})


def known_of(held: pl.DataFrame, chain: str) -> Known:
    """What is stored of a chain."""
    rows = held.filter(pl.col("chain") == chain).select("number", "hash", "finalized")
    return Known({number: StoredBlock(digest, final) for number, digest, final in rows.iter_rows()})


async def _ask(
    settings: NodeSettings, held: pl.DataFrame, *, clock: Callable[[], int], backoff: Backoff
) -> tuple[dict[str, _New], dict[tuple[str, ...], SourceError], int]:
    async with Http() as http:
        nodes: dict[str, list[ChainNode]] = {
            ETHEREUM: [EthereumNode(http, url, clock=clock, backoff=backoff) for url in settings.ethereum_rpc_urls],
            BITCOIN: [BitcoinNode(http, url, clock=clock, backoff=backoff) for url in settings.bitcoin_api_urls],
        }
        found = await asyncio.gather(
            *(_of_chain(of_chain, known_of(held, chain)) for chain, of_chain in nodes.items()), return_exceptions=True
        )
        told_by: dict[str, _New] = {}
        failed: dict[tuple[str, ...], SourceError] = {}
        for chain, new in zip(nodes, found, strict=True):
            if isinstance(new, SourceError):
                failed[(chain,)] = new
            elif isinstance(new, BaseException):
                raise new
            else:
                told_by[chain] = new
        return told_by, failed, http.requests


async def _of_chain(nodes: list[ChainNode], known: Known) -> _New:
    """What is new on a chain, as the first node tells it that is believed and can."""
    good: Believed[ChainNode] = await believed(nodes, behind=nodes[0].behind, at_least=known.newest or 0)
    new, gave_up = await first_of(good, lambda node, head: _new(node, known, head=head))
    chain = nodes[0].chain
    refused: dict[tuple[str, ...], SourceError] = {
        (chain, host): error for host, error in {**good.refused, **gave_up}.items()
    }
    return _New(new.host, new.blocks, new.final, {**refused, **new.failed})


async def _new(node: ChainNode, known: Known, *, head: int) -> _New:
    final = await node.newest_final(head)
    first = first_wanted(known, head=head, final=final)
    asked: dict[int, object] = {}
    failed: dict[tuple[str, ...], SourceError] = {}
    for number in range(first, min(head, first + MOST_BLOCKS - 1) + 1):
        try:
            asked[number] = await node.block(number)
        except SourceError as error:
            if not asked:
                raise  # another node may have it
            failed[node.chain, str(number)] = error
            break
    blocks = whole_part(node.chain, asked)
    deepest = min(blocks) - _DEEPEST
    while (replaced := is_replaced(node.chain, known, blocks)) is not None and replaced > deepest:
        if known.blocks[replaced].final:
            failed[node.chain, "reorganisation"] = SourceMalformed(
                f"{node.host} has another block {replaced} than the final one stored, {known.blocks[replaced].hash}"
            )
        blocks[replaced] = await node.block(replaced)
        if hashes_of(node.chain, blocks[replaced + 1])[1] != hashes_of(node.chain, blocks[replaced])[0]:
            raise SourceMalformed(f"{node.host} changed its chain at block {replaced} while it was asked")
    for number in known.missing()[:_FILLED]:
        blocks[number] = await node.block(number)
    # Only what is below the newest block that was taken in is known to be of this chain.
    return _New(node.host, blocks, min(final, max(blocks)), failed)
