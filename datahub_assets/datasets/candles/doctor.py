"""What `datahub doctor` asks of Binance."""

from typing import Final

from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.errors import SourceError, SourceUnavailable
from datahub_assets.sources.ask import probe

FIX: Final = "check network and proxy; BINANCE_BASE_URLS lists hosts to try"


def look(settings: CandleSettings) -> str:
    """Which host answers, and how fast.

    Raises:
        SourceUnavailable: none does.
    """
    problems = []
    for url in settings.binance_base_urls:
        try:
            return probe(f"{url}/api/v3/time")
        except SourceError as error:
            problems.append(str(error))
    raise SourceUnavailable("; ".join(problems))
