"""Fewer coins than were asked for: pages that are short or overlap, rows set aside, ids nobody knows."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from datahub_assets.datasets.market.client import UNKNOWN, fetch_prices
from datahub_assets.datasets.market.collecting import Coins, Collected, Query, collect
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from tests.fakes import Clock, FakeCoinGecko

RANKING = [f"coin-{rank}" for rank in range(1, 1001)]
Page = Callable[[list[str], int, int], list[str]]


def one_short(ranking: list[str], size: int, number: int) -> list[str]:
    """A coin is left out of each page."""
    return ranking[(number - 1) * size : number * size - 1]


def capped(ranking: list[str], size: int, number: int) -> list[str]:
    """Pages have 50 coins, whatever is asked for."""
    size = min(size, 50)
    return ranking[(number - 1) * size : number * size]


def moving(ranking: list[str], size: int, number: int) -> list[str]:
    """Between two pages three coins fall behind those that were on the page before."""
    start = max(0, (number - 1) * size - 3 * (number - 1))
    return ranking[start : start + size]


def repeated_last(ranking: list[str], size: int, number: int) -> list[str]:
    """Past the end the last page comes again."""
    last = -(-len(ranking) // size)
    return ranking[(min(number, last) - 1) * size :][:size]


def asked(page: Page, coins: Coins, ranking: list[str] = RANKING) -> tuple[Collected, list[Query]]:
    queries: list[Query] = []

    async def ask(query: Query) -> list[object]:
        queries.append(query)
        known = [name for name in ranking if name in str(query["ids"]).split(",")] if "ids" in query else ranking
        return [{"id": name} for name in page(known, int(query["per_page"]), int(query["page"]))]

    return asyncio.run(collect(ask, coins, missing=())), queries


@pytest.mark.parametrize(
    ("page", "coins", "requests"),
    [
        (one_short, 250, 2),
        (one_short, 600, 3),
        (capped, 250, 5),
        (capped, 600, 12),
        (moving, 600, 3),
        (moving, 750, 4),
        (repeated_last, 600, 3),
    ],
)
def test_pages_are_asked_for_until_all_coins_are_there(page: Page, coins: int, requests: int) -> None:
    collected, queries = asked(page, coins)
    assert len(collected.found) == len(collected.items) == coins
    assert len(queries) == collected.pages == requests
    assert [query["page"] for query in queries] == list(range(1, requests + 1))


@pytest.mark.parametrize("page", [one_short, capped, moving, repeated_last])
def test_asking_ends_where_there_are_no_more(page: Page) -> None:
    collected, queries = asked(page, 5000, RANKING[:300])
    assert 298 <= len(collected.found) <= 300
    assert len(queries) <= 8


def test_an_upstream_that_hands_out_coins_one_by_one_is_not_asked_for_ever() -> None:
    collected, queries = asked(lambda ranking, _, number: ranking[number - 1 : number], 1000)
    assert len(queries) == 23 == len(collected.found)


def test_of_a_coin_that_comes_twice_the_later_item_counts() -> None:
    async def ask(query: Query) -> list[object]:
        return [{"id": "bitcoin", "page": query["page"]}, {"id": f"coin-{query['page']}"}]

    collected = asyncio.run(collect(ask, 3, missing=()))
    assert collected.items == [{"id": "bitcoin", "page": 2}, {"id": "coin-1"}, {"id": "coin-2"}]


@pytest.mark.parametrize("page", [capped, one_short])
def test_ids_on_later_pages_are_not_taken_for_unknown(page: Page) -> None:
    ids = (*RANKING[:120], "nobodys-coin")
    collected, queries = asked(page, ids)
    assert set(ids) - set(collected.found) == set(collected.unknown)
    assert "nobodys-coin" in collected.unknown
    assert page is not capped or collected.unknown == ("nobodys-coin",)
    assert len(queries) <= 6


@pytest.fixture
def coingecko() -> Iterator[FakeCoinGecko]:
    with FakeCoinGecko(clock=Clock(1_763_800_015_000), coin_count=300) as fake:
        yield fake


@pytest.fixture
def fetch(coingecko: FakeCoinGecko) -> Callable[..., Fetched]:
    def fetch(coins: str, **options: object) -> Fetched:
        values = {"COINGECKO_BASE_URL": coingecko.url, "DATAHUB_COINS": coins}
        log = logging.getLogger("tests.market")
        clock = coingecko.clock.now_ms
        settings = MarketSettings.model_validate(values)
        return fetch_prices(settings, clock=clock, log=log, backoff=Backoff(attempts=1), **options)  # type: ignore[arg-type]

    return fetch


def test_fewer_coins_are_a_warning_that_says_how_many(
    fetch: Callable[..., Fetched], caplog: pytest.LogCaptureFixture
) -> None:
    assert fetch("300").warnings == ()
    (warning,) = fetch("600").warnings
    assert warning == "300 of the 600 coins asked for (DATAHUB_COINS): CoinGecko has told of 300"
    assert warning in caplog.text


def test_coins_set_aside_by_checks_are_counted_and_named(
    fetch: Callable[..., Fetched], coingecko: FakeCoinGecko
) -> None:
    coingecko.set_coin("ethereum", current_price=-1)
    coingecko.set_coin("tether", last_updated=None)
    fetched = fetch("250")
    assert fetched.checked.frame.height == 248
    (warning,) = fetched.warnings
    assert warning.startswith("248 of the 250 coins asked for (DATAHUB_COINS): 2 were set aside by checks: ")
    assert "ethereum (current_price must be above 0: -1)" in warning
    assert "tether (last_updated is missing" in warning
    (warning,) = fetch("600").warnings
    assert warning.startswith(
        "298 of the 600 coins asked for (DATAHUB_COINS): CoinGecko has told of 300; 2 were set aside"
    )


def test_unknown_ids_are_named_with_what_they_are_most_like(
    fetch: Callable[..., Fetched], coingecko: FakeCoinGecko
) -> None:
    fetched = fetch("bitconi,ethereum,xyzzy-plugh-42")
    (warning,) = fetched.warnings
    assert "no coin with the id bitconi, xyzzy-plugh-42: " in warning
    assert "bitconi: did you mean bitcoin?" in warning
    assert "xyzzy-plugh-42: did you mean" not in warning
    listed = len(coingecko.requested(path="/coins/list"))
    again = fetch("bitconi,ethereum,xyzzy-plugh-42", unknown=fetched.notes[UNKNOWN])
    assert again.warnings == fetched.warnings
    assert again.requests == 1, "what is known to be unknown is neither waited for nor looked up again"
    assert len(coingecko.requested(path="/coins/list")) == listed == 1
    assert fetch("bitcoin,ethereum", unknown=fetched.notes[UNKNOWN]).notes == {UNKNOWN: {}}


def test_they_are_named_though_the_list_of_all_cannot_be_had(
    fetch: Callable[..., Fetched], coingecko: FakeCoinGecko
) -> None:
    coingecko.fail("not_found", path="/coins/list", times=None)
    (warning,) = fetch("bitconi").warnings
    assert "bitconi: did you mean bitcoin?" in warning, "the largest are known all the same"
