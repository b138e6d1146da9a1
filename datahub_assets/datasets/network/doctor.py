"""What `datahub doctor` asks of the nodes."""

from typing import Final

from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.sources.ask import probe

FIX: Final = "check network and proxy; DATAHUB_ETHEREUM_RPC_URLS and DATAHUB_BITCOIN_API_URLS name other nodes"


def look(settings: NodeSettings) -> str:
    """Whether the first explorer of Bitcoin answers, and how fast.

    Raises:
        SourceError: it does not.
    """
    return probe(f"{settings.bitcoin_api_urls[0]}/mempool")
