"""One fetch of what is new on both chains."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import polars as pl

from datahub_assets.datasets.blocks.client.bitcoin import BitcoinBlocks
from datahub_assets.datasets.blocks.client.chain_blocks import ChainBlocks
from datahub_assets.datasets.blocks.client.ethereum import EthereumBlocks
from datahub_assets.datasets.blocks.client.holes import FilledHoles, fill
from datahub_assets.datasets.blocks.linked import Known, StoredBlock, first_wanted, is_replaced, whole_part
from datahub_assets.datasets.blocks.rows import block_row, hashes_of, number_told, told
from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.followed_chains import BITCOIN, ETHEREUM, NodeSettings
from datahub_assets.datasets.items import check_items
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceUnavailable
from datahub_assets.domain.rows import Checked, from_epoch_ms
from datahub_assets.domain.tables import FETCHED
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_failed, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.belief import Node, ask_in_turn, believed
from datahub_assets.sources.nodes.chain_proofs import NOTE, ChainProofs
from datahub_assets.sources.nodes.followed import FollowedNodes

MOST_BLOCKS: Final = 100
"""In one fetch, those of a reorganisation that is followed down included: that keeps a minute's requests to a node
below 120 while it catches up; else a handful are new."""

Missing = Mapping[str, Sequence[int]]
"""By chain, the numbers of blocks to ask for again."""
N = TypeVar("N", bound=Node)


@dataclass(frozen=True, slots=True)
class _New:
    """What one node told of a chain: blocks by number, up to which number all is final, and what could not be had."""

    host: str
    blocks: Mapping[int, object]
    final: int
    failed: Mapping[tuple[str, ...], SourceError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlocksFetched:
    """The outcome of a fetch; and by chain, of missing blocks that were asked for, whether each came."""

    fetched: Fetched
    came: Mapping[str, Mapping[int, bool]]


def fetch_blocks(
    settings: NodeSettings,
    *,
    held: pl.DataFrame,
    clock: Callable[[], int],
    log: logging.Logger,
    missing: Missing | None = None,
    noted: object = None,
    backoff: Backoff | None = None,
) -> BlocksFetched:
    """Ask the nodes of both chains for what is new; runs an event loop of its own.

    Args:
        held: the stored blocks that are not final, and the last final ones; rows of the dataset.
        clock: this machine's time, epoch milliseconds UTC.
        missing: final blocks that are to be asked for again, as far as there is room for them.
        noted: the note `chain_proofs.NOTE` of the fetch before.
        backoff: attempts and pauses.

    Raises:
        SourceError: neither chain could be asked.
    """
    started = time.perf_counter()
    proofs = ChainProofs(noted, now_ms=clock())
    asking = _ChainsAsked(held, missing or {}, proofs)
    requests = asyncio.run(asking.all(settings, clock=clock, backoff=backoff))
    told_by, failed = asking.told_by, asking.failed
    if not told_by:
        raise next(iter(failed.values()))
    now_ms = clock()
    items: list[Mapping[str, object]] = [
        told(chain, block, host=new.host, finalized=number <= new.final)
        for chain, new in told_by.items()
        for number, block in new.blocks.items()
    ]
    items += [item for filled in asking.filled.values() for item in filled.items.values()]
    checked = check_items(BLOCKS, items, block_row, named="chain", now_ms=now_ms, placed=number_told)
    settled = [_settled(held, checked.frame, chain, final=new.final, now_ms=now_ms) for chain, new in told_by.items()]
    frame = pl.concat([checked.frame, *settled])
    elapsed_s = time.perf_counter() - started
    log.info("fetched %d blocks from %s in %.1f s", checked.frame.height, " and ".join(sorted(told_by)), elapsed_s)
    report_rejected(checked.rejected, log=log)
    report_failed(failed, log=log)
    fetched = Fetched(
        Checked(frame, checked.rejected),
        requests=requests,
        elapsed_s=elapsed_s,
        failed=failed,
        notes={NOTE: proofs.noted()},
    )
    return BlocksFetched(fetched, {chain: filled.came() for chain, filled in asking.filled.items()})


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


@dataclass(slots=True)
class _ChainsAsked:
    """Both chains being asked, and what came of it."""

    held: pl.DataFrame
    missing: Missing
    proofs: ChainProofs
    filled: dict[str, FilledHoles] = field(default_factory=dict)
    told_by: dict[str, _New] = field(default_factory=dict)
    failed: dict[tuple[str, ...], SourceError] = field(default_factory=dict)

    async def all(self, settings: NodeSettings, *, clock: Callable[[], int], backoff: Backoff | None) -> int:
        """Ask for all that is new; returns how many requests it took."""
        async with Http() as http, asyncio.TaskGroup() as tasks:
            nodes = FollowedNodes.of(settings, http, clock=clock, backoff=backoff)
            tasks.create_task(self._chain(ETHEREUM, nodes.ethereum, EthereumBlocks))
            tasks.create_task(self._chain(BITCOIN, nodes.bitcoin, BitcoinBlocks))
        return http.requests

    async def _chain(self, chain: str, nodes: Sequence[N], blocks_of: Callable[[N], ChainBlocks]) -> None:
        """What is new on a chain, as the first node tells it that is believed and can; and what was missing."""
        known = known_of(self.held, chain)
        try:
            good = await believed(nodes, proofs=self.proofs, at_least=known.newest or 0)
            answer = await ask_in_turn(good, lambda node, head: _new(blocks_of(node), known, head=head))
        except SourceError as error:
            self.failed[(chain,)] = error
            return
        new = self.told_by[chain] = answer.told
        room = max(0, MOST_BLOCKS - len(new.blocks))
        wanted = [number for number in (*known.missing(), *self.missing.get(chain, ())) if number not in new.blocks]
        filled = await fill([blocks_of(node) for node, _ in good.heads], wanted[:room], known, final=new.final)
        self.filled[chain] = filled
        self.failed |= {(chain, host): error for host, error in answer.failed.items()}
        self.failed |= {**new.failed, **filled.failed}


async def _new(node: ChainBlocks, known: Known, *, head: int) -> _New:
    final = await node.newest_final(head)
    first = first_wanted(known, head=head, final=final)
    failed: dict[tuple[str, ...], SourceError] = {}
    blocks = {first: await _there(node, first)}  # where it is not there, another node may have it
    while len(blocks) < MOST_BLOCKS and (replaced := is_replaced(node.chain, known, blocks)) is not None:
        if known.blocks[replaced].final:
            failed[node.chain, "reorganisation"] = SourceMalformed(
                f"{node.host} has another block {replaced} than the final one stored, {known.blocks[replaced].hash}"
            )
        blocks[replaced] = await _there(node, replaced)
        if hashes_of(node.chain, blocks[replaced + 1])[1] != hashes_of(node.chain, blocks[replaced])[0]:
            raise SourceMalformed(f"{node.host} changed its chain at block {replaced} while it was asked")
    for number in range(first + 1, min(head, first + MOST_BLOCKS - len(blocks)) + 1):
        try:
            blocks[number] = await _there(node, number)
        except SourceError as error:
            failed[node.chain, str(number)] = error
            break
    blocks = whole_part(node.chain, blocks)
    # Only what is below the newest block that was taken in is known to be of this chain.
    return _New(node.host, blocks, min(final, max(blocks)), failed)


async def _there(node: ChainBlocks, number: int) -> object:
    block = await node.block(number)
    if block is None:
        raise SourceUnavailable(f"{node.host} does not have block {number}")
    return block
