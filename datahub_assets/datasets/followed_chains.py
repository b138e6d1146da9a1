"""The chains that are followed, and what datasets of them have in common: names, column, filter, terms, nodes."""

from typing import Final

from pydantic import Field

from datahub_assets.datasets.filters import Filter, Spelling, Unknown
from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.datasets.spec import Licence
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.setting_values import Urls

ETHEREUM: Final = "ethereum"
BITCOIN: Final = "bitcoin"

CHAIN: Final = Column("chain", ColumnKind.TEXT, f"`{ETHEREUM}` or `{BITCOIN}`", example=ETHEREUM)
CHAIN_FILTER: Final = Filter(
    parameter=CHAIN.name,
    column=CHAIN.name,
    doc=f"which chain: `{ETHEREUM}`, `{BITCOIN}`",
    example=(ETHEREUM,),
    spelling=Spelling.LOWER,
    names_row=True,
    unknown=Unknown("unknown_chain", CHAIN.name),
)
PROVIDER: Final = "public-nodes"
LICENCE: Final = Licence("cc0-1.0", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
"""What chains tell is nobody's."""


class NodeSettings(DatasetSettings):
    """Nodes by chain, tried in order; one that is behind the others is not believed."""

    ethereum_rpc_urls: Urls = Field(
        ("https://ethereum-rpc.publicnode.com", "https://eth.merkle.io", "https://eth.drpc.org"),
        validation_alias=env("DATAHUB_ETHEREUM_RPC_URLS"),
        description="comma-separated Ethereum nodes (JSON-RPC), tried in order",
    )
    bitcoin_api_urls: Urls = Field(
        ("https://mempool.space/api", "https://blockstream.info/api"),
        validation_alias=env("DATAHUB_BITCOIN_API_URLS"),
        description="comma-separated Bitcoin explorers (mempool.space's or Esplora's API), tried in order",
    )
