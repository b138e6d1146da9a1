"""Writes what is known of one coin as CoinGecko's coins/{id} does.

Fields are those of its OpenAPI schema (docs.coingecko.com). What the market dataset does not carry answers null.
"""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
import polars as pl
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from api.dropin.coingecko.coins import TIMES, ticker
from api.dropin.coingecko.errors import CoinNotFound
from api.dropin.coingecko.queries import USD, Flag, is_set
from api.dropin.queries import DropInQuery
from api.engine.selection.query import RowQuery
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice
from datahub_assets.datasets.market.spec import MARKET

Shown = Annotated[str | None, QueryParameter(description="`false` leaves that part out")]
_NOT_CARRIED: Final = (
    *("asset_platform_id", "block_time_in_minutes", "hashing_algorithm", "categories", "preview_listing"),
    *("public_notice", "additional_notices", "has_supply_breakdown", "links", "country_origin", "genesis_date"),
    *("sentiment_votes_up_percentage", "sentiment_votes_down_percentage", "ico_data", "watchlist_portfolio_users"),
    *("market_cap_rank_with_rehypothecated", "status_updates"),
)
_OF_COMMUNITY: Final = (
    *("facebook_likes", "reddit_average_posts_48h", "reddit_average_comments_48h", "reddit_subscribers"),
    *("reddit_accounts_active_48h", "telegram_channel_user_count"),
)
_OF_DEVELOPERS: Final = (
    *("forks", "stars", "subscribers", "total_issues", "closed_issues", "pull_requests_merged"),
    *("pull_request_contributors", "code_additions_deletions_4_weeks", "commit_count_4_weeks"),
    "last_4_weeks_commit_activity_series",
)
_IN_USD: Final = {
    "current_price": "price",
    "ath": "ath",
    "ath_change_percentage": None,
    "ath_date": "ath_date",
    "atl": "atl",
    "atl_change_percentage": None,
    "atl_date": "atl_date",
    "market_cap": "market_cap",
    "fully_diluted_valuation": "fully_diluted_valuation",
    "total_volume": "volume_24h",
    "high_24h": "high_24h",
    "low_24h": "low_24h",
    "price_change_24h_in_currency": "price_change_24h",
    "price_change_percentage_24h_in_currency": "change_24h",
    **{f"price_change_percentage_{time}_in_currency": None for time in ("1h", "7d", "14d", "30d", "60d", "200d", "1y")},
    "market_cap_change_24h_in_currency": None,
    "market_cap_change_percentage_24h_in_currency": None,
}
_PLAIN: Final = {
    "total_value_locked": None,
    "mcap_to_tvl_ratio": None,
    "fdv_to_tvl_ratio": None,
    "roi": None,
    "market_cap_fdv_ratio": None,
    "market_cap_rank": "market_cap_rank",
    "market_cap_rank_with_rehypothecated": None,
    "outstanding_token_value_usd": None,
    "price_change_24h": "price_change_24h",
    "price_change_percentage_24h": "change_24h",
    **{f"price_change_percentage_{time}": None for time in ("7d", "14d", "30d", "60d", "200d", "1y")},
    "market_cap_change_24h": None,
    "market_cap_change_percentage_24h": None,
    "total_supply": "total_supply",
    "max_supply": "max_supply",
    "max_supply_infinite": None,
    "circulating_supply": "circulating_supply",
    "outstanding_supply": None,
    "last_updated": "timestamp",
}
"""Of `market_data`: CoinGecko's field -> our column; None: not carried. The first ones are objects by currency."""


class Coin(msgspec.Struct, frozen=True, array_like=True):
    """A request for coins/{id} in its normal form: the coin, and the parts that are left out or added."""

    coin_id: str
    hidden: tuple[str, ...]
    added: tuple[str, ...]


def ask_coin(
    *,
    coin_id: FromPath[str],
    localization: Shown = None,
    tickers: Shown = None,
    market_data: Shown = None,
    community_data: Shown = None,
    developer_data: Shown = None,
    sparkline: Flag = None,
    include_categories_details: Flag = None,
) -> Coin:
    """What a caller means by CoinGecko's parameters."""
    parts = {
        "localization": localization,
        "tickers": tickers,
        "market_data": market_data,
        "community_data": community_data,
        "developer_data": developer_data,
    }
    added = {"sparkline_7d": sparkline, "categories_details": include_categories_details}
    return Coin(
        coin_id,
        hidden=tuple(name for name, flag in parts.items() if not is_set(flag, usual=True)),
        added=tuple(name for name, flag in added.items() if is_set(flag)),
    )


def coin_query(choice: NamedDependency[RevisionChoice], coin: NamedDependency[Coin]) -> DropInQuery:
    """A request for coins/{id} at a commit."""
    return DropInQuery(
        MARKET.name, coin, choice, make=partial(coin_json, asked=coin), check=partial(check_coin, coin_id=coin.coin_id)
    )


def check_coin(snapshot: Snapshot, *, coin_id: str) -> None:
    """See that there are rows of the coin.

    Raises:
        CoinNotFound: there are none.
    """
    if coin_id not in snapshot.series.get(None, ()):
        raise CoinNotFound("coin not found")


def coin_json(snapshot: Snapshot, asked: Coin, *, resident_only: bool) -> bytes:
    """The newest row of the coin, however old, as coins/{id} writes it.

    Raises:
        CoinNotFound: there is no such coin.        NotResident: as `rows_of`.
    """
    check_coin(snapshot, coin_id=asked.coin_id)
    newest = RowQuery(
        dataset=MARKET.name,
        filters=(("coin_ids", (asked.coin_id,)),),
        columns=MARKET.column_names,
        limit=1,
        descending=True,
    )
    rows = rows_of(snapshot, newest, resident_only=resident_only).frame
    row = rows.with_columns(pl.col("ath_date", "atl_date", "timestamp").dt.strftime(TIMES)).row(0, named=True)
    coin = {
        "id": row["coin_id"],
        "symbol": ticker(row["symbol"]),
        "name": row["name"],
        "web_slug": None,
        **dict.fromkeys(_NOT_CARRIED),
        "platforms": {},
        "detail_platforms": {},
        "localization": {"en": row["name"]},
        "description": {"en": None},
        "image": dict.fromkeys(("thumb", "small", "large")),
        "market_cap_rank": row["market_cap_rank"],
        "market_data": _market_data(row, sparkline="sparkline_7d" in asked.added),
        "community_data": dict.fromkeys(_OF_COMMUNITY),
        "developer_data": dict.fromkeys(_OF_DEVELOPERS),
        "last_updated": row["timestamp"],
        "tickers": [],
    }
    coin |= {"categories_details": None} if "categories_details" in asked.added else {}
    return msgspec.json.encode({name: value for name, value in coin.items() if name not in asked.hidden})


def _market_data(row: dict[str, Any], *, sparkline: bool) -> dict[str, Any]:
    data: dict[str, Any] = {name: {USD: row[column] if column else None} for name, column in _IN_USD.items()}
    data |= {name: row[column] if column else None for name, column in _PLAIN.items()}
    return data | ({"sparkline_7d": None} if sparkline else {})
