"""Pages of /coins/markets until all coins asked for are there, and what to say where they are not. Pure but for asking.

A page may be shorter than asked for and be followed by others, and repeat coins of earlier ones, as the ranking moves
while it is read.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from datahub_assets.domain.errors import SourceError, SourceMalformed
from datahub_assets.domain.rows import Checked
from datahub_assets.domain.spelling import suggestions

PAGE_SIZE: Final = 250
"""Most coins of a page; a larger wish is silently cut to this."""
_LEAST_PAGE: Final = 50
"""Pages may be shorter still; then the asking ends before all are there."""
_SPARE_PAGES: Final = 3
_MOST_NAMED: Final = 10

Coins = int | tuple[str, ...]
"""So many of the largest, or these ids."""
Query = Mapping[str, str | int]
AskPage = Callable[[Query], Awaitable[list[object]]]


@dataclass(slots=True)
class Collected:
    """What came: an item for each coin, the later of two; those that name none; why it ended early, if it did.

    Attributes:
        pages: how many came.        unknown: of ids, those CoinGecko did not answer with.
    """

    found: dict[str, object] = field(default_factory=dict)
    nameless: list[object] = field(default_factory=list)
    pages: int = 0
    error: SourceError | None = None
    unknown: tuple[str, ...] = ()

    @property
    def items(self) -> list[object]:
        """All of them."""
        return [*self.found.values(), *self.nameless]

    def take(self, items: Iterable[object]) -> bool:
        """Take in a page; whether it had a coin that is new."""
        before = len(self.found)
        for item in items:
            coin_id = id_of(item)
            if coin_id is None:
                self.nameless.append(item)
            else:
                self.found[coin_id] = item
        self.pages += 1
        return len(self.found) > before


def id_of(item: object) -> str | None:
    """The coin an item is about; None where it names none."""
    coin_id = item.get("id") if isinstance(item, dict) else None
    return coin_id if isinstance(coin_id, str) and coin_id.strip() else None


def page_of_largest(size: int, *, number: int) -> Query:
    """The query for one page of the largest coins."""
    common = {"vs_currency": "usd", "order": "market_cap_desc", "precision": "full"}
    return {**common, "per_page": size, "page": number}


async def collect(ask: AskPage, coins: Coins, *, missing: Collection[str]) -> Collected:
    """All coins asked for, page after page: keyless callers have few requests a minute, and a burst spends them.

    Args:
        ask: gives the items of a page; raises SourceError.
        missing: ids that are not waited for, since an earlier fetch did without them.
    """
    collected = Collected()
    try:
        if isinstance(coins, int):
            await _largest(ask, coins, collected)
        else:
            for start in range(0, len(coins), PAGE_SIZE):
                await _named(ask, coins[start : start + PAGE_SIZE], collected, missing=missing)
            collected.unknown = tuple(coin_id for coin_id in coins if coin_id not in collected.found)
    except SourceError as error:
        collected.error = error
    return collected


async def _largest(ask: AskPage, coins: int, collected: Collected) -> None:
    size = min(coins, PAGE_SIZE)
    await _pages(
        lambda number: ask(page_of_largest(size, number=number)),
        collected,
        coins=coins,
        is_done=lambda: len(collected.found) >= coins,
    )
    if not collected.items:
        raise SourceMalformed("CoinGecko answered an empty list for its largest coins")
    for coin_id in list(collected.found)[coins:]:  # the last page may have brought more
        del collected.found[coin_id]


async def _named(ask: AskPage, ids: Sequence[str], collected: Collected, *, missing: Collection[str]) -> None:
    waited_for = [coin_id for coin_id in ids if coin_id not in missing]
    only = {"ids": ",".join(ids)}
    await _pages(
        lambda number: ask({**page_of_largest(PAGE_SIZE, number=number), **only}),
        collected,
        coins=len(ids),
        is_done=lambda: all(coin_id in collected.found for coin_id in waited_for),
    )


async def _pages(
    ask: Callable[[int], Awaitable[list[object]]], collected: Collected, *, coins: int, is_done: Callable[[], bool]
) -> None:
    """Ask until it is done or a page has nothing new; and at most so often as short pages of so many coins take."""
    for number in range(1, -(-coins // _LEAST_PAGE) + _SPARE_PAGES + 1):
        if not collected.take(await ask(number)) or is_done():
            return


def shortfalls(coins: Coins, came: int, checked: Checked, near: Mapping[str, str | None]) -> Iterator[str]:
    """A line for each reason why fewer coins came than were asked for: what to know, and what to do.

    Args:
        came: of so many coins something came.        checked: what became of that.
        near: ids that CoinGecko does not know, and which known one each is most like.
    """
    if near:
        yield (
            f"CoinGecko has no coin with the id {', '.join(near)}: take it out of DATAHUB_COINS, or spell it as "
            f"CoinGecko does{suggestions(near)}"
        )
    wanted = coins if isinstance(coins, int) else len(coins)
    good = checked.frame["coin_id"].n_unique()
    parts = [f"CoinGecko has told of {came:,}"] if isinstance(coins, int) and came < wanted else []
    if checked.rejected:
        named = [f"{one.subject} ({one.reason})" for one in checked.rejected[:_MOST_NAMED]]
        named += ["…"] if len(checked.rejected) > len(named) else []
        parts.append(f"{len(checked.rejected):,} were set aside by checks: {', '.join(named)}")
    if parts:
        yield f"{good:,} of the {wanted:,} coins asked for (DATAHUB_COINS): {'; '.join(parts)}"
