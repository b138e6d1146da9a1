"""What the exchange says of its pairs becomes rows, and which of them say something new. Pure: frames in and out.

Fields and filters of a pair: binance-spot-api-docs, rest-api.md ("Exchange information") and filters.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from datahub_assets.datasets.items import check_items
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField
from datahub_assets.domain.rows import Checked, from_epoch_ms
from datahub_assets.domain.tables import FETCHED

_SAID: Final = ("status", "listed", "base", "quote", "tick_size", "step_size", "min_notional")
"""What makes another row when it changes."""
_STOPPED: Final = "BREAK"
"""The state of a pair that is not traded any more."""
_BELIEVED_GONE: Final = 20
_BELIEVED_SHARE: Final = 0.05
"""A list that lacks more pairs at once than the larger of these is no list of all."""


def check_pairs(raw: Sequence[object], *, now_ms: int) -> Checked:
    """Sort pairs of exchangeInfo into rows and rejected ones; each ends in one of the two, whatever it holds."""
    return check_items(LISTINGS, raw, _row, named="symbol", now_ms=now_ms)


def _row(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    rules = _rules(item.get("filters"))
    return {
        "symbol": fields.name_of("symbol", item.get("symbol")),
        "changed_at": now_ms,
        "status": fields.name_of("status", item.get("status")),
        "listed": True,
        "base": fields.name_of("baseAsset", item.get("baseAsset")),
        "quote": fields.name_of("quoteAsset", item.get("quoteAsset")),
        "tick_size": _number(rules, ("PRICE_FILTER",), "tickSize"),
        "step_size": _number(rules, ("LOT_SIZE",), "stepSize"),
        "min_notional": _number(rules, ("NOTIONAL", "MIN_NOTIONAL"), "minNotional"),
        "first_candle": None,
        "last_candle": None,
    }


def _rules(value: object) -> dict[object, Mapping[str, object]]:
    """The exchange's rules for orders of a pair, by their type; none where it tells none."""
    if value is None:
        return {}
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadField(f"filters is not a list of objects: {fields.shown(value)}")
    return {str(one.get("filterType")): one for one in value}


def _number(rules: Mapping[object, Mapping[str, object]], kinds: Collection[str], name: str) -> float | None:
    rule = next((rules[kind] for kind in kinds if kind in rules), None)
    return None if rule is None else fields.decimal(name, rule.get(name), check=fields.not_negative)


@dataclass(frozen=True, slots=True)
class Compared:
    """How what the exchange says differs from what it said before.

    Attributes:
        changed: a row for each pair that is new, gone, or said to be something else.
        current: the newest row of each pair, those of `changed` among them.
        doubted: how many pairs the list lacks, when they are too many to believe that; 0 otherwise.
    """

    changed: pl.DataFrame
    current: pl.DataFrame
    doubted: int


def compared(told: pl.DataFrame, *, stored: pl.DataFrame, named: Collection[str], now_ms: int) -> Compared:
    """Compare what the exchange says now with what it said last.

    Args:
        told: a row for each pair it tells of.        stored: all rows there are.
        named: the pairs it names, those included that cannot be used.
    """
    newest = newest_of_each(stored)
    same = ["symbol", *_SAID]
    other = told.join(newest, on=same, how="anti", nulls_equal=True)
    gone = newest.filter("listed", ~pl.col("symbol").is_in(list(named)))
    doubted = gone.height > max(_BELIEVED_GONE, _BELIEVED_SHARE * newest.filter("listed").height)
    if doubted:
        missing, gone = gone.height, gone.clear()
    else:
        missing = 0
    first = newest.select("symbol", "first_candle")
    other = other.drop("first_candle").join(first, on="symbol", how="left").select(LISTINGS.column_names)
    at = from_epoch_ms(pl.lit(now_ms))
    gone = gone.with_columns(
        at.alias("changed_at"), at.alias(FETCHED), pl.lit(value=False).alias("listed"), last_candle=pl.lit(None)
    ).cast(pl.Schema(LISTINGS.polars_schema()))
    changed = pl.concat([other, gone])
    return Compared(changed, newest_of_each(pl.concat([newest, changed])), missing)


def newest_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each pair, sorted by pair."""
    return rows.sort("symbol", "changed_at").unique("symbol", keep="last", maintain_order=True)


@dataclass(frozen=True, slots=True)
class CandleQuestion:
    """A pair of which the open time of a candle is missing: of its first one, of its last one, or of both."""

    symbol: str
    first: bool
    last: bool


def questions(current: pl.DataFrame, *, after: str, most: int) -> list[CandleQuestion]:
    """The pairs to ask about next, in turn: those after the one asked last, by name, then from the first one on."""
    stopped = (pl.col("status") == _STOPPED) | ~pl.col("listed")
    first = pl.col("first_candle").is_null()
    last = pl.col("last_candle").is_null() & stopped
    lacking = current.select("symbol", first=first, last=last).filter(pl.col("first") | pl.col("last"))
    in_turn = pl.concat([lacking.filter(pl.col("symbol") > after), lacking.filter(pl.col("symbol") <= after)])
    return [CandleQuestion(*row) for row in in_turn.head(most).rows()]


def answered(current: pl.DataFrame, answers: Mapping[str, Mapping[str, int]], *, now_ms: int) -> pl.DataFrame:
    """The rows of pairs with what was missing; the same rows as before by their key.

    Args:
        answers: open times, epoch ms, by column, by pair.
    """
    lines = [{"symbol": symbol, **found} for symbol, found in answers.items() if found]
    kinds = {"symbol": pl.String(), "first_candle": pl.Int64(), "last_candle": pl.Int64()}
    told = pl.DataFrame(lines, schema=kinds, orient="row")
    rows = current.join(told, on="symbol", how="inner", suffix="_told")
    found = [
        pl.coalesce(name, from_epoch_ms(pl.col(f"{name}_told"))).alias(name) for name in ("first_candle", "last_candle")
    ]
    return rows.with_columns(*found, from_epoch_ms(pl.lit(now_ms)).alias(FETCHED)).select(LISTINGS.column_names)
