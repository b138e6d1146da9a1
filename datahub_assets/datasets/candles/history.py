"""Where the history of candles comes from, and what `datahub doctor` asks there."""

import logging
import time
from collections.abc import Callable
from typing import Final

from datahub_assets.datasets.candles.archive import CandleHistory, Upstream
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.errors import SourceError, SourceUnavailable
from datahub_assets.settings import Settings
from datahub_assets.sources.backoff import Backoff
from datahub_system.clock import now_ms

FIX: Final = (
    "check network and proxy; BINANCE_ARCHIVE_URL and BINANCE_ARCHIVE_LIST_URL name the archive and its listing"
)
_SERIES: Final = ("BTCUSDT", "1d")
"""Of which the archive has a file of some kilobytes for each month since 2017."""


def history_source(
    settings: Settings, *, clock: Callable[[], int], log: logging.Logger, beside_live: bool
) -> CandleHistory:
    """Binance's archive and its REST."""
    mine = settings.of(CandleSettings)
    return CandleHistory(Upstream(mine, clock=clock, log=log, beside_live=beside_live), settings=mine, log=log)


def look(settings: CandleSettings) -> str:
    """Whether the listing and the files answer, with the newest month of a series, checked against its CHECKSUM.

    Raises:
        SourceError: one of them does not, or not with what it should.
    """
    began = time.monotonic()
    upstream = Upstream(settings, clock=now_ms, log=logging.getLogger(__name__), backoff=Backoff(attempts=1))
    try:
        months = upstream.months(*_SERIES)
        if not months:
            raise SourceUnavailable(f"{settings.binance_archive_list_url} lists no month of {' '.join(_SERIES)}")
        (found,) = upstream.downloads([months[max(months)]])
    finally:
        upstream.close()
    if isinstance(found, SourceError):
        raise found
    url = upstream.url(found.key)
    if found.content is None:
        raise SourceUnavailable(f"{url}: {found.detail or found.verdict}")
    return f"{url} is listed and as its CHECKSUM says; asked in {time.monotonic() - began:.2f} s"
