"""Which pairs are meant: names, or `all:` and a quote; those that ended only where they are asked for."""

from collections.abc import Collection, Iterable, Mapping

from datahub_assets.datasets.candles.client.rest import TRADING, Pair
from datahub_assets.datasets.candles.settings import ALL, spelt
from datahub_assets.domain.spelling import nearest


def chosen(
    wanted: Collection[str], *, listed: Collection[str], pairs: Mapping[str, Pair], with_delisted: bool
) -> list[str]:
    """The pairs, sorted. A pair that is named is meant, whether it is traded still or not.

    Args:
        wanted: names as people write them, and `all:` with a quote.
        listed: the pairs the archive has.        pairs: those of the exchange.

    Raises:
        ValueError: neither knows one of them, or no pair has the quote.
    """
    found: set[str] = set()
    for word in map(spelt, wanted):
        if word.startswith(ALL):
            quote = word.removeprefix(ALL)
            ones = set(_traded(pairs.values(), quote))
            if with_delisted:
                ones.update(_ended(listed, pairs, quote))
            if not ones:
                raise ValueError(f"no pair is traded against {quote!r}: write all:USDT")
            found.update(ones)
        elif word in pairs or word in listed:
            found.add(word)
        else:
            near = nearest(word, {*pairs, *listed})
            meant = "write it as BTCUSDT" if near is None else f"did you mean {near}?"
            raise ValueError(f"neither Binance nor its archive has a pair {word!r}: {meant}")
    return sorted(found)


def _traded(pairs: Iterable[Pair], quote: str) -> Iterable[str]:
    return (pair.symbol for pair in pairs if pair.status == TRADING and pair.spot and pair.quote == quote)


def _ended(listed: Iterable[str], pairs: Mapping[str, Pair], quote: str) -> Iterable[str]:
    """Those the archive has and nobody trades; the quote of one the exchange has forgotten is the end of its name."""
    for symbol in listed:
        pair = pairs.get(symbol)
        forgotten = pair is None and symbol.endswith(quote) and symbol != quote
        ended = pair is not None and pair.status != TRADING and pair.quote == quote
        if forgotten or ended:
            yield symbol
