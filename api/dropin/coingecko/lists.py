"""CoinGecko's coins/list and search, of the coins the newest prices are of."""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.dropin.coingecko.coins import ticker
from api.dropin.coingecko.errors import CoinGeckoRefusal
from api.dropin.coingecko.queries import Flag, is_set
from api.dropin.queries import DropInQuery
from api.engine.latest import latest_rows
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice
from datahub_assets.datasets.filters import in_small_letters
from datahub_assets.datasets.market.spec import MARKET

_STATUSES: Final = ("active", "inactive")
_SEARCHED: Final = ("coin_id", "symbol", "name")
_NOT_CARRIED: Final = ("exchanges", "icos", "categories", "nfts")


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """A request for coins/list in its normal form."""

    with_platforms: bool
    is_active: bool


class Searched(msgspec.Struct, frozen=True, array_like=True):
    """A request for search in its normal form: the text, in small letters."""

    text: str


def list_query(
    *,
    choice: NamedDependency[RevisionChoice],
    include_platform: Flag = None,
    status: Annotated[str | None, QueryParameter(description="`active` (the default); there are no `inactive`")] = None,
) -> DropInQuery:
    """A request for coins/list at a commit.

    Raises:
        CoinGeckoRefusal: there is no such status.
    """
    if status and status not in _STATUSES:
        raise CoinGeckoRefusal(f"Invalid status; valid: {', '.join(_STATUSES)}")
    asked = Listed(is_set(include_platform), status != "inactive")
    return DropInQuery(MARKET.name, asked, choice, make=partial(list_json, asked=asked))


def search_query(
    *,
    choice: NamedDependency[RevisionChoice],
    searched: Annotated[
        str | None, QueryParameter(name="query", description="mandatory: a part of ids, tickers or names")
    ] = None,
) -> DropInQuery:
    """A request for search at a commit.

    Raises:
        CoinGeckoRefusal: there is nothing to look for.
    """
    text = in_small_letters((searched or "").strip())
    if not text:
        raise CoinGeckoRefusal("Missing parameter query")
    asked = Searched(text)
    return DropInQuery(MARKET.name, asked, choice, make=partial(search_json, asked=asked))


def list_json(snapshot: Snapshot, asked: Listed, *, resident_only: bool) -> bytes:
    """The coins as coins/list writes them, in the order of their ids. Raises as `latest_rows`."""
    more: dict[str, Any] = {"platforms": {}} if asked.with_platforms else {}
    coins = latest_rows(snapshot, resident_only=resident_only).sort("coin_id") if asked.is_active else None
    return msgspec.json.encode(
        [
            {"id": coin_id, "symbol": ticker(symbol), "name": name, **more}
            for coin_id, symbol, name in (() if coins is None else coins[list(_SEARCHED)].iter_rows())
        ]
    )


def search_json(snapshot: Snapshot, asked: Searched, *, resident_only: bool) -> bytes:
    """The coins as search writes them, the largest first; nothing else is carried.

    Raises:
        NotResident: `resident_only` is set, as all coins are looked at.
    """
    if resident_only:
        raise NotResident
    coins = latest_rows(snapshot)[[*_SEARCHED, "market_cap_rank"]]
    found = [
        {
            "id": coin_id,
            "name": name,
            "api_symbol": coin_id,
            "symbol": symbol,
            "market_cap_rank": rank,
            "thumb": None,
            "large": None,
        }
        for coin_id, symbol, name, rank in coins.iter_rows()
        if any(value is not None and asked.text in in_small_letters(value) for value in (coin_id, symbol, name))
    ]
    return msgspec.json.encode({"coins": found, **{name: [] for name in _NOT_CARRIED}})
