"""What `datahub doctor` asks of Binance."""

import asyncio
import logging
from typing import Final

from datahub_assets.datasets.candles.client.rest import Binance
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.errors import SourceError, SourceRejected, SourceUnavailable
from datahub_assets.domain.spelling import nearest, suggestions
from datahub_assets.sources.ask import probe
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_system.clock import now_ms

FIX: Final = "check network and proxy, and the pairs of DATAHUB_SYMBOLS; BINANCE_BASE_URLS lists hosts to try"
_LIST_S: Final = 60.0
_LOG: Final = logging.getLogger(__name__)


def look(settings: CandleSettings) -> str:
    """Which host answers, how fast, and whether the exchange lists what the settings name.

    Raises:
        SourceError: no host answers, or the exchange does not list it.
    """
    answers = _answering_host(settings)
    listed = asyncio.run(_listed(settings))
    if unknown := {name: nearest(name, listed) for name in settings.symbols if name not in listed}:
        raise SourceRejected(f"Binance does not list {', '.join(unknown)} (DATAHUB_SYMBOLS){suggestions(unknown)}")
    return f"{answers}, and lists all of DATAHUB_SYMBOLS"


def _answering_host(settings: CandleSettings) -> str:
    problems = []
    for url in settings.binance_base_urls:
        try:
            return probe(f"{url}/api/v3/time")
        except SourceError as error:
            problems.append(str(error))
    raise SourceUnavailable("; ".join(problems))


async def _listed(settings: CandleSettings) -> frozenset[str]:
    """What the setting may name: pairs, and `all:` with each quote. The exchange's clock is heard on the way."""
    async with Http(answer_timeout_s=_LIST_S) as http:
        binance = Binance(
            http,
            base_urls=settings.binance_base_urls,
            clock=now_ms,
            backoff=Backoff(attempts=1),
            log=_LOG,
        )
        await binance.server_time()
        pairs = await binance.pairs()
    return frozenset(pair.symbol for pair in pairs) | frozenset(f"all:{pair.quote}" for pair in pairs)
