"""CandleHistory: months of candles from Binance's public archive and its REST."""

import logging
from collections.abc import Collection
from typing import Final, Self

from datahub_assets.datasets.candles.archive.month_reader import MonthReader, is_wide
from datahub_assets.datasets.candles.archive.outcome import outcome
from datahub_assets.datasets.candles.archive.upstream import Upstream
from datahub_assets.datasets.candles.archive.wanted import chosen
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.history import Month, Series, SeriesMonth

_ANSWERS_AT_ONCE: Final = 12
"""With an answer in 0.1 s these take the request weight of a minute, 6,000, in half of it."""
_FILES_AT_ONCE: Final = 3


class CandleHistory:
    """A `HistorySource`; threads share its connections. Close it when done, or use it inside `with`.

    Args:
        upstream: what is asked; closed with this.
        settings: which pairs are meant where nobody names any.
    """

    def __init__(self, upstream: Upstream, *, settings: CandleSettings, log: logging.Logger) -> None:
        self._upstream = upstream
        self._settings = settings
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._upstream.close()

    def series(self, group: str, month: Month, *, wanted: Collection[str] | None, with_delisted: bool) -> list[Series]:
        """The series of an interval, sorted: those of the wanted pairs that the archive or the exchange has.

        Which of them have rows in that month is told when they are fetched.

        Raises:
            SourceError: the listing or the exchange could not be asked.
            ValueError: the interval or one of the pairs is not known, or the month is not over.
        """
        interval(group)
        self._past(month)
        pairs, listed = self._upstream.pairs(), self._upstream.symbols()
        if wanted is None:
            wanted = self._of_settings({*pairs, *listed})
        found = chosen(wanted, listed=listed, pairs=pairs, with_delisted=with_delisted)
        return [(symbol, group) for symbol in found]

    def at_once(self, group: str) -> int:
        """Many where the exchange answers a month at once, few where it is a file of megabytes."""
        return _ANSWERS_AT_ONCE if is_wide(interval(group)) else _FILES_AT_ONCE

    def fetch(self, series: Series, month: Month) -> SeriesMonth:
        """All there is of a series in a month.

        Raises:
            SourceError: nothing was had, since a source could not be asked; try again later.
            ValueError: the interval is not known, or the month is not over.
        """
        symbol, name = series
        self._past(month)
        reader = MonthReader(self._upstream, symbol=symbol, interval=interval(name), month=month)
        reader.read()
        return outcome(reader, self._upstream)

    def _of_settings(self, known: Collection[str]) -> Collection[str]:
        """The pairs of the settings; one that nobody knows keeps no other from being filled."""
        unknown = [pair for pair in self._settings.pairs if pair not in known]
        if unknown:
            self._log.warning("neither Binance nor its archive has %s of DATAHUB_SYMBOLS: left out", ", ".join(unknown))
        return [word for word in self._settings.symbols if word not in unknown]

    def _past(self, month: Month) -> None:
        if month.end_ms > self._upstream.clock():
            raise ValueError(f"{month} is not over: history ends with the month before")
