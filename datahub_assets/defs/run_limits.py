"""The tag that keeps a chain to one run at a time, and when a run counts as stuck. Loads no Dagster."""

from datahub_assets.settings import Settings

CHAIN_TAG = "datahub/chain"
"""Tag of every run that a job of ours starts: the chain it belongs to."""


_WEIGHT_PER_MINUTE = 6000  # Binance's request budget, see sources


_CANDLES_PER_PAGE = 1000


_WEIGHT_PER_PAGE = 2


def run_limit_s(settings: Settings) -> int:
    """Seconds after which a run counts as stuck: ten minutes, and twice what the first fill's request budget takes."""
    symbols = 500 if isinstance(settings.symbols, str) else len(settings.symbols)
    pages = symbols * len(settings.intervals) * -(-settings.history_candles // _CANDLES_PER_PAGE)
    return 600 + 2 * 60 * (pages * _WEIGHT_PER_PAGE // _WEIGHT_PER_MINUTE + 1)
