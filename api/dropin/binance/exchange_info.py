"""Binance's exchangeInfo: the pairs the Hub holds candles of, described as far as the candles tell.

Order rules, fees and permissions are not in any dataset and answer null.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.descriptions import Description
from api.caching.revisions import snapshot_at
from api.dropin.binance.errors import BinanceRefusal, illegal, invalid
from api.dropin.binance.klines import SYMBOL_FORM
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice
from datahub_assets.datasets.candles.spec import OHLC

QUOTES: Final = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USDS", "USD1", "EURI", "AEUR", "IDRT", "BIDR", "BVND", "BKRW"),
    *("BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DOGE", "DOT", "DAI", "PAX", "VAI", "UST"),
    *("EUR", "TRY", "BRL", "GBP", "AUD", "JPY", "MXN", "PLN", "RON", "ZAR", "ARS", "UAH", "RUB", "NGN", "CZK", "COP"),
)
"""Assets pairs are quoted in on Binance spot; a pair's spelling is base and quote written together."""
TRADING: Final = "TRADING"
_BREAK: Final = "BREAK"
_STATUSES: Final = (TRADING, "HALT", _BREAK)
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
    *("isSpotTradingAllowed", "isMarginTradingAllowed", "filters", "permissions", "permissionSets"),
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
    symbol: Annotated[str | None, QueryParameter(description="only this pair")] = None,
    symbols: Annotated[str | None, QueryParameter(description='only these pairs: `["BTCUSDT","ETHUSDT"]`')] = None,
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
    named = (symbol,) if symbol is not None else _listed("symbols", symbols, form=SYMBOL_FORM)
    for name in named:
        if not re.fullmatch(SYMBOL_FORM, name):
            raise illegal("symbol" if symbol is not None else "symbols", SYMBOL_FORM)
    _check_permissions(permissions)
    if symbol_status is not None and symbol_status not in _STATUSES:
        raise invalid("symbolStatus")
    if show_permission_sets is not None and show_permission_sets.lower() not in {"true", "false"}:
        raise invalid("showPermissionSets")
    with_permission_sets = show_permission_sets is None or show_permission_sets.lower() == "true"
    return PairsQuery(PairFilter(named, symbol_status, with_permission_sets=with_permission_sets), choice)


async def describe_pairs(request: Request[Any, Any, Any], engine: Engine, asked: PairsQuery) -> Description:
    """The commit that is meant, which has the pairs that are named. Raises as `snapshot_at` and `exchange_info`."""
    del request
    snapshot = await snapshot_at(engine, OHLC.name, asked.choice)
    _named(snapshot, asked.wanted)
    return Description(snapshot.sha)


def exchange_info(snapshot: Snapshot, wanted: PairFilter, *, now_ms: int, requests_per_min: int) -> dict[str, Any]:
    """The pairs, and the request limit of this server (none when it is 0).

    Raises:
        BinanceRefusal: a named symbol is not there.
    """
    chosen = _named(snapshot, wanted)
    bare: dict[str, Any] = {} if wanted.with_permission_sets else {"permissionSets": []}
    limit = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 1, "limit": requests_per_min}
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
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
    words = _listed("permissions", permissions, form=_WORD_FORM) if permissions.startswith("[") else (permissions,)
    if not all(re.fullmatch(_WORD_FORM, word) for word in words):
        raise illegal("permissions", _WORD_FORM)


def _listed(name: str, text: str | None, *, form: str) -> tuple[str, ...]:
    """The words of a JSON list, each once."""
    if text is None:
        return ()
    try:
        return tuple(dict.fromkeys(msgspec.json.decode(text, type=list[str])))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError):
        raise illegal(name, f'["{form.strip("^$")}", …]') from None


def _named(snapshot: Snapshot, wanted: PairFilter) -> list[dict[str, Any]]:
    """The pairs that are named, or all there are."""
    pairs = _pairs(snapshot)
    unknown = [name for name in wanted.symbols if name not in pairs]
    if unknown:
        raise BinanceRefusal(-1121, f"Invalid symbol. The hub holds no candles of {', '.join(unknown)}.")
    return [pairs[name] for name in wanted.symbols] if wanted.symbols else list(pairs.values())


def _pairs(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """All pairs whose spelling ends in a known quote asset, by spelling; computed once per snapshot."""
    known = snapshot.memory.get("pairs")
    if isinstance(known, dict):
        return known
    trading = _trading(snapshot)
    names: frozenset[str] = frozenset().union(*snapshot.series.values())
    pairs = {name: _pair(name, quote, is_trading=name in trading) for name in sorted(names) if (quote := _quote(name))}
    snapshot.memory["pairs"] = pairs
    return pairs


def _trading(snapshot: Snapshot) -> set[str]:
    """Pairs that have the newest candle there is of some interval: the exchange stops making candles of a dead pair."""
    found: set[str] = set()
    for files in snapshot.groups.values():
        newest_ms = max((file.max_ms for file in files), default=0)
        found.update(name for file in files for name, span in file.index.spans.items() if span.max_ms == newest_ms)
    return found


def _quote(symbol: str) -> str:
    return next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "")


def _pair(symbol: str, quote: str, *, is_trading: bool) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": TRADING if is_trading else _BREAK,
        "baseAsset": symbol.removesuffix(quote),
        "quoteAsset": quote,
        **dict.fromkeys(_NOT_CARRIED),
    }
