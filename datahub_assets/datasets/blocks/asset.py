"""`chain_blocks`: ask nodes of Ethereum and Bitcoin for what is new. What comes after, all chains share."""

from typing import Final

from datahub_assets.datasets.blocks import missing
from datahub_assets.datasets.blocks.client.fetch import fetch_blocks
from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.domain.times import DAY_MS
from datahub_assets.sources.fetched import Fetched
from datahub_assets.sources.nodes.chain_proofs import NOTE

_LOOKED_BACK_MS: Final = DAY_MS
"""Of final blocks those of this time are compared with what nodes tell."""


@asset_of(BLOCKS, description="New blocks of Ethereum and Bitcoin from public nodes, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for what is new on each chain, and for what is missing."""
    since_ms = min(run.cache.series(BLOCKS).last_times().values(), default=0) - _LOOKED_BACK_MS
    held = run.cache.open_or_since(BLOCKS, since_ms=since_ms)
    ledger = run.cache.gaps(BLOCKS)
    questions = ledger.to_ask(now_ms=run.clock())
    found = fetch_blocks(
        run.settings.of(NodeSettings),
        held=held,
        missing=missing.numbers(questions),
        clock=run.clock,
        log=run.log,
        noted=run.cache.note(BLOCKS, NOTE),
    )
    missing.record(ledger, questions, found.came, now_ms=run.clock())
    return found.fetched
