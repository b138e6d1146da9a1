"""Pairs the exchange refuses, whatever is asked of them: what each is most like, and what to say of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from datahub_assets.datasets.candles.client.rest import Binance
from datahub_assets.domain.errors import SourceError, SourceRejected
from datahub_assets.domain.spelling import nearest, suggestions

UNKNOWN: Final = "unknown_pairs"
"""Note: the pairs of the settings that the exchange refuses, and which listed one each is most like."""


@dataclass(frozen=True, slots=True)
class RefusedPairs:
    """Refused pairs by what the exchange said, and by pair the listed one it is most like, None where none is."""

    pairs: Mapping[str, Collection[str]]
    near: Mapping[str, str | None]

    def told(self) -> tuple[str, ...]:
        """A line for each thing the exchange said."""
        return tuple(
            f"Binance refuses {', '.join(pairs)} (delisted or misspelt? then take it out of DATAHUB_SYMBOLS): "
            f"{message}{suggestions({pair: self.near.get(pair) for pair in pairs})}"
            for message, pairs in self.pairs.items()
        )


async def refused_pairs(
    failed: Mapping[tuple[str, str], SourceError], binance: Binance, *, known: Mapping[str, str | None]
) -> RefusedPairs:
    """The refused ones among the series that failed.

    The list of all pairs is large: it is asked for only where a pair is newly refused.

    Args:
        failed: why, by symbol and interval.        known: what is known of refused pairs, from the fetch before.
    """
    said: dict[str, set[str]] = {}
    for (symbol, _), error in failed.items():
        if isinstance(error, SourceRejected):
            said.setdefault(str(error), set()).add(symbol)
    pairs = {message: sorted(symbols) for message, symbols in said.items()}
    names = sorted({symbol for symbols in said.values() for symbol in symbols})
    if all(name in known for name in names):
        return RefusedPairs(pairs, {name: known[name] for name in names})
    return RefusedPairs(pairs, await _nearest_pairs(names, binance))


async def _nearest_pairs(names: Collection[str], binance: Binance) -> dict[str, str | None]:
    """The listed pair that each of these is most like; None where it is listed itself, or the list cannot be had."""
    try:
        listed = [pair.symbol for pair in await binance.pairs()]
    except SourceError:
        return dict.fromkeys(names)
    return {name: None if name in listed else nearest(name, listed) for name in names}
