"""The tag that keeps a chain to one run at a time, and when a run counts as stuck. Loads no Dagster."""

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.settings import Settings

CHAIN_TAG = "datahub/chain"
"""Tag of every run that a job of ours starts: the chain it belongs to."""


def run_limit_s(spec: DatasetSpec, settings: Settings) -> int:
    """Seconds after which a run of this chain counts as stuck."""
    return settings.of(spec.settings).run_limit_s
