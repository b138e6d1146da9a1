"""`chain_network`: ask a node of each chain how it is. Everything after the answer is shared by all chains."""

from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.datasets.network.client import fetch_network
from datahub_assets.datasets.network.spec import NETWORK
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.fetched import Fetched
from datahub_assets.sources.nodes.chain_proofs import NOTE


@asset_of(NETWORK, description="Fees and load of Ethereum and Bitcoin from public nodes, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for both networks."""
    noted = run.cache.note(NETWORK, NOTE)
    return fetch_network(run.settings.of(NodeSettings), clock=run.clock, log=run.log, noted=noted)
