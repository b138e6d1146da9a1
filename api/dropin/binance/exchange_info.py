"""Binance's exchangeInfo: the pairs the Hub holds candles of, described as the dataset of listings has them.

What no dataset carries, such as fees and permissions, answers null. Where no listings were collected, base and quote
are told from the spelling, and the status from the candles.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.answers import Answers
from api.caching.descriptions import Description
from api.caching.revisions import snapshot_at
from api.dropin.binance.errors import BinanceRefusal, illegal, invalid
from api.dropin.binance.numbers import DECIMALS
from api.dropin.binance.symbols import OnePair, SomePairs, listed, named_pairs, unknown_pairs
from api.engine.engine import Engine
from api.engine.hub.reader import HubCommit
from api.engine.latest import latest_rows
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.errors import RevisionUnknown
from api.http.reading import RevisionChoice
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.domain.times import DAY_MS

QUOTES: Final = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USDS", "USD1", "EURI", "AEUR", "IDRT", "BIDR", "BVND", "BKRW"),
    *("BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DOGE", "DOT", "DAI", "PAX", "VAI", "UST"),
    *("EUR", "TRY", "BRL", "GBP", "AUD", "JPY", "MXN", "PLN", "RON", "ZAR", "ARS", "UAH", "RUB", "NGN", "CZK", "COP"),
)
"""Assets pairs are quoted in on Binance spot; a pair's spelling is base and quote written together. Only for pairs that
no listing tells of: `ADAEUR` may be either ADA in EUR or AD in AEUR."""
TRADING: Final = "TRADING"
BREAK: Final = "BREAK"
STATUSES: Final = (TRADING, "HALT", BREAK)
_RULES: Final = (
    ("PRICE_FILTER", "tickSize", "tick_size"),
    ("LOT_SIZE", "stepSize", "step_size"),
    ("NOTIONAL", "minNotional", "min_notional"),
)
"""Of the rules for orders ("Filters" in Binance's documentation) those whose numbers are carried: name, field, column.
"""
_SILENT_MS: Final = DAY_MS
"""Longer without new candles than others, and a pair no listing tells of is taken for one that is traded no more."""
_WORD_FORM: Final = "^[A-Z0-9_]{1,40}$"
_NOT_CARRIED: Final = (
    *("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision", "baseCommissionPrecision"),
    *("quoteCommissionPrecision", "orderTypes", "icebergAllowed", "ocoAllowed", "otoAllowed", "opoAllowed"),
    *(
        "quoteOrderQtyMarketAllowed",
        "allowTrailingStop",
        "cancelReplaceAllowed",
        "amendAllowed",
        "pegInstructionsAllowed",
    ),
    *("isSpotTradingAllowed", "isMarginTradingAllowed", "permissions", "permissionSets"),
    *("defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes"),
)


class PairFilter(msgspec.Struct, frozen=True):
    """Which pairs a caller wants described: these, or all, and of those the ones in that status."""

    symbols: tuple[str, ...]
    status: str | None
    with_permission_sets: bool = True


@dataclass(frozen=True, slots=True)
class PairsQuery:
    """Which pairs are asked for, at which commit."""

    wanted: PairFilter
    choice: RevisionChoice


def ask_pairs(
    *,
    choice: NamedDependency[RevisionChoice],
    symbol: OnePair = None,
    symbols: SomePairs = None,
    permissions: Annotated[
        str | None,
        QueryParameter(description='`SPOT` or `["MARGIN","LEVERAGED"]`: leaves out nothing, as none are carried'),
    ] = None,
    show_permission_sets: Annotated[
        str | None,
        QueryParameter(name="showPermissionSets", description="`false`: `permissionSets` is empty instead of null"),
    ] = None,
    symbol_status: Annotated[
        str | None,
        QueryParameter(
            name="symbolStatus",
            description="`TRADING`, `HALT` (never) or `BREAK`; like `permissions`, not with `symbol` or `symbols`",
        ),
    ] = None,
) -> PairsQuery:
    """What a caller means by Binance's parameters; `symbols` is a JSON list, `permissions` one or a word.

    Permissions are read and leave out nothing: no dataset tells those of a pair.

    Raises:
        BinanceRefusal: with the code Binance has for it.
    """
    _check_combination(symbol=symbol, symbols=symbols, permissions=permissions, symbolStatus=symbol_status)
    named = named_pairs(symbol, symbols)
    _check_permissions(permissions)
    if symbol_status is not None and symbol_status not in STATUSES:
        raise invalid("symbolStatus")
    if show_permission_sets is not None and show_permission_sets.lower() not in {"true", "false"}:
        raise invalid("showPermissionSets")
    with_permission_sets = show_permission_sets is None or show_permission_sets.lower() == "true"
    return PairsQuery(PairFilter(named, symbol_status, with_permission_sets=with_permission_sets), choice)


async def describe_pairs(request: Request[Any, Any, Any], engine: Engine, asked: PairsQuery) -> Description:
    """The commit that is meant, which has the pairs that are named. Raises as `snapshot_at` and `exchange_info`."""
    known = await pairs_at(request, engine, asked.choice)
    _named(known, asked.wanted)
    return Description(known.candles.sha)


@dataclass(frozen=True, slots=True)
class KnownPairs:
    """What tells of pairs at a moment: the candles, and what the exchange said by then, where that was collected."""

    candles: Snapshot
    listings: Snapshot | None


async def pairs_at(request: Request[Any, Any, Any], engine: Engine, choice: RevisionChoice) -> KnownPairs:
    """The commit of the candles that a caller means, and the listings of then, with their pairs worked out.

    Raises as `snapshot_at`.
    """
    candles = await snapshot_at(engine, OHLC.name, choice)
    known = KnownPairs(candles, await listings_at(engine, choice, candles.commit))
    try:
        pairs_of(known, resident_only=True)
    except NotResident:  # files of listings may have to be read
        await Answers.of(request.app).threads.large(request.receive, partial(pairs_of, known))
    return known


async def listings_at(engine: Engine, choice: RevisionChoice, candles: HubCommit) -> Snapshot | None:
    """The listings of when that commit of the candles was made, which the choice means; None where there are none.

    Raises as `Dataset.at`.
    """
    listings = engine.datasets.get(LISTINGS.name)
    if listings is None or not listings.is_ready:
        return None
    if choice.is_current:
        return listings.current
    try:
        return await listings.at(listings.find(as_of_ms=candles.at_ms))
    except RevisionUnknown:
        return None


def exchange_info(known: KnownPairs, wanted: PairFilter, *, now: int, requests_per_min: int) -> dict[str, Any]:
    """The pairs, and the request limit of this server (none when it is 0). `now` is in the unit the caller wants.

    Raises:
        BinanceRefusal: a named symbol is not there.
    """
    chosen = _named(known, wanted)
    bare: dict[str, Any] = {} if wanted.with_permission_sets else {"permissionSets": []}
    limit = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 1, "limit": requests_per_min}
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [limit] if requests_per_min else [],
        "exchangeFilters": [],
        "symbols": [pair | bare for pair in chosen if wanted.status in {None, pair["status"]}],
    }


def _check_combination(**given: str | None) -> None:
    """Pairs are named by one of these, or chosen by what they are."""
    named, chosen = (
        [name for name in names if given[name] is not None]
        for names in (("symbol", "symbols"), ("permissions", "symbolStatus"))
    )
    if len(named) > 1 or (named and chosen):
        together = " and ".join([*named, *chosen])
        raise BinanceRefusal(-1128, f"Combination of optional parameters invalid. Do not send {together} together.")


def _check_permissions(permissions: str | None) -> None:
    """Refuse what is neither a permission nor a JSON list of some."""
    if permissions is None:
        return
    words = listed("permissions", permissions, form=_WORD_FORM) if permissions.startswith("[") else (permissions,)
    if not all(re.fullmatch(_WORD_FORM, word) for word in words):
        raise illegal("permissions", _WORD_FORM)


def _named(known: KnownPairs, wanted: PairFilter) -> list[dict[str, Any]]:
    """The pairs that are named, or all there are."""
    pairs = pairs_of(known)
    unknown = [name for name in wanted.symbols if name not in pairs]
    if unknown:
        raise unknown_pairs(unknown)
    return [pairs[name] for name in wanted.symbols] if wanted.symbols else list(pairs.values())


def pairs_of(known: KnownPairs, *, resident_only: bool = False) -> dict[str, dict[str, Any]]:
    """All pairs there are candles of, by spelling; computed once for each two snapshots.

    Raises:
        NotResident: `resident_only` is set and they must be computed first.
    """
    of_listings = None if known.listings is None else known.listings.sha
    kept = known.candles.memory.get("pairs")
    if isinstance(kept, _KeptPairs) and kept.of_listings == of_listings:
        return kept.pairs
    if resident_only:
        raise NotResident
    listed = {} if known.listings is None else _listed_pairs(known.listings)
    trading = _trading(known.candles)
    names: frozenset[str] = frozenset().union(*known.candles.series.values())
    pairs = {
        name: pair
        for name in sorted(names)
        if (pair := listed.get(name) or _guessed_pair(name, is_trading=name in trading))
    }
    known.candles.memory["pairs"] = _KeptPairs(of_listings, pairs)
    return pairs


@dataclass(frozen=True, slots=True)
class _KeptPairs:
    """The pairs at a commit of the candles, told with the listings of one commit."""

    of_listings: str | None
    pairs: dict[str, dict[str, Any]]


def _listed_pairs(listings: Snapshot) -> dict[str, dict[str, Any]]:
    """The pairs as the exchange described them last; one that its list has no more is not traded."""
    return {
        row["symbol"]: _pair(
            row["symbol"],
            base=row["base"],
            quote=row["quote"],
            status=row["status"] if row["listed"] else BREAK,
            filters=[
                {"filterType": name, field: f"{row[column]:.{DECIMALS}f}"}
                for name, field, column in _RULES
                if row[column] is not None
            ],
        )
        for row in latest_rows(listings).iter_rows(named=True)
    }


def _guessed_pair(symbol: str, *, is_trading: bool) -> dict[str, Any] | None:
    """A pair that no listing tells of; None where its spelling ends in no known quote asset."""
    quote = next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), None)
    if quote is None:
        return None
    status = TRADING if is_trading else BREAK
    return _pair(symbol, base=symbol.removesuffix(quote), quote=quote, status=status, filters=None)


def _trading(candles: Snapshot) -> set[str]:
    """Pairs with candles as new as there are of some interval, or nearly: one fetch that failed delists nobody."""
    found: set[str] = set()
    for files in candles.groups.values():
        alive_ms = max((file.max_ms for file in files), default=0) - _SILENT_MS
        found.update(name for file in files for name, span in file.index.spans.items() if span.max_ms >= alive_ms)
    return found


def _pair(
    symbol: str, *, base: str | None, quote: str | None, status: str | None, filters: list[dict[str, str]] | None
) -> dict[str, Any]:
    described = {"symbol": symbol, "status": status, "baseAsset": base, "quoteAsset": quote, "filters": filters}
    return described | dict.fromkeys(_NOT_CARRIED)
