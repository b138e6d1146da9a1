"""Where the history of candles comes from."""

import logging
from collections.abc import Callable

from datahub_assets.datasets.candles.archive import CandleHistory, Upstream
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.settings import Settings


def history_source(
    settings: Settings, *, clock: Callable[[], int], log: logging.Logger, beside_live: bool
) -> CandleHistory:
    """Binance's archive and its REST."""
    mine = settings.of(CandleSettings)
    return CandleHistory(Upstream(mine, clock=clock, log=log, beside_live=beside_live), settings=mine, log=log)
