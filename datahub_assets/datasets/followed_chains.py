"""Settings of the datasets that ask nodes of blockchains: which ones."""

from pydantic import Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import Urls


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
