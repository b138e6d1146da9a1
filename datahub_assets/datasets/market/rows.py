"""What makes an item of CoinGecko's /coins/markets a row of the market dataset, or a rejected one.

Fields and which of them may be null: CoinGecko's published OpenAPI document (`/coins/markets`, 2026-06).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from datahub_assets.datasets.filters import in_capitals
from datahub_assets.datasets.items import check_items
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain import fields
from datahub_assets.domain.fields import Number
from datahub_assets.domain.rows import Checked

_NUMBERS: Final[tuple[tuple[str, str, Number], ...]] = (
    ("price", "current_price", fields.positive),
    ("market_cap", "market_cap", fields.not_negative),
    ("volume_24h", "total_volume", fields.not_negative),
    ("change_24h", "price_change_percentage_24h", fields.signed),
    # Refreshed apart from the price, which may therefore lie outside of them: no reason to reject.
    ("high_24h", "high_24h", fields.not_negative),
    ("low_24h", "low_24h", fields.not_negative),
    ("price_change_24h", "price_change_24h", fields.signed),
    ("circulating_supply", "circulating_supply", fields.not_negative),
    ("total_supply", "total_supply", fields.not_negative),
    ("max_supply", "max_supply", fields.not_negative),
    ("fully_diluted_valuation", "fully_diluted_valuation", fields.not_negative),
    ("ath", "ath", fields.not_negative),
    ("atl", "atl", fields.not_negative),
)
"""Column, upstream's field, what its values may be. All may be null."""


def check_markets(raw: Sequence[object], *, now_ms: int) -> Checked:
    """Sort items into rows of `MARKET` and rejected ones; each item ends in one of the two, whatever it holds.

    An item is rejected for the first field that cannot be used; a null is kept as null, but in the key (`id`,
    `last_updated`). Of two items with the same key the later one counts.

    Args:
        raw: items as decoded from JSON.
        now_ms: the time of fetching, epoch milliseconds UTC; becomes `ingested_at`.
    """
    return check_items(MARKET, raw, _row, named="id", now_ms=now_ms)


def _row(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    symbol = fields.text("symbol", item.get("symbol"))
    return {
        "timestamp": fields.stamp("last_updated", item.get("last_updated"), now_ms=now_ms),
        "coin_id": fields.name_of("id", item.get("id")),
        "symbol": None if symbol is None else in_capitals(symbol),
        "name": fields.text("name", item.get("name")),
        **{column: read(field, item.get(field)) for column, field, read in _NUMBERS},
        "market_cap_rank": fields.count("market_cap_rank", item.get("market_cap_rank")),
        "ath_date": fields.iso_time_ms("ath_date", item.get("ath_date")),
        "atl_date": fields.iso_time_ms("atl_date", item.get("atl_date")),
    }
