"""Items of /coins/markets: which become rows, which are set aside and why; and nothing breaks the check."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.datasets.market.rows import check_markets
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.fields import AHEAD_LIMIT_MS

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy

NOW_MS = 1_763_800_000_000
STAMP = "2025-11-22T08:25:11.426Z"
STAMP_MS = 1_763_799_911_426


def item(**changes: Any) -> dict[str, Any]:
    """An item with the fields and kinds of numbers of a real one."""
    return {
        "id": "bitcoin",
        "symbol": "btc",
        "name": "Bitcoin",
        "image": "https://images.invalid/1.png",
        "current_price": 38938,
        "market_cap": 738310755630,
        "market_cap_rank": 1,
        "fully_diluted_valuation": None,
        "total_volume": 5.4,
        "high_24h": 38000,
        "low_24h": 37500.5,
        "price_change_24h": -4.37e-06,
        "price_change_percentage_24h": -0.32173,
        "circulating_supply": 2.448524105135891e15,
        "total_supply": 2.1e7,
        "max_supply": None,
        "ath": 69045,
        "ath_date": "2021-11-10T14:24:11.849Z",
        "atl": 67.81,
        "atl_date": "2013-07-06T00:00:00.000Z",
        "roi": {"times": 41.3, "currency": "btc", "percentage": 4134.9},
        "last_updated": STAMP,
        **changes,
    }


def only_reason(raw: object) -> str:
    checked = check_markets([raw], now_ms=NOW_MS)
    assert checked.frame.is_empty()
    (rejected,) = checked.rejected
    assert rejected.dataset == "market"
    return rejected.reason


def test_a_good_item_becomes_a_row_of_the_spec() -> None:
    checked = check_markets([item()], now_ms=NOW_MS)
    assert checked.rejected == ()
    assert dict(checked.frame.schema) == MARKET.polars_schema()
    (row,) = checked.frame.to_dicts()
    assert row == {
        "coin_id": "bitcoin",
        "symbol": "BTC",
        "name": "Bitcoin",
        "price": 38938.0,
        "market_cap": 738310755630.0,
        "market_cap_rank": 1,
        "volume_24h": 5.4,
        "change_24h": -0.32173,
        "high_24h": 38000.0,
        "low_24h": 37500.5,
        "price_change_24h": -4.37e-06,
        "circulating_supply": 2.448524105135891e15,
        "total_supply": 2.1e7,
        "max_supply": None,
        "fully_diluted_valuation": None,
        "ath": 69045.0,
        "ath_date": datetime(2021, 11, 10, 14, 24, 11, 849000, tzinfo=UTC),
        "atl": 67.81,
        "atl_date": datetime(2013, 7, 6, tzinfo=UTC),
        "provider": "coingecko",
        "timestamp": datetime(2025, 11, 22, 8, 25, 11, 426000, tzinfo=UTC),
        "ingested_at": datetime.fromtimestamp(NOW_MS / 1000, UTC),
    }


NULLABLE = sorted(set(item()) - {"id", "last_updated", "image", "roi"})


@pytest.mark.parametrize("field", NULLABLE)
def test_a_null_or_absent_field_stays_null(field: str) -> None:
    absent = {name: value for name, value in item().items() if name != field}
    by_null, by_absence, plain = (
        check_markets([one], now_ms=NOW_MS).frame for one in (item(**{field: None}), absent, item())
    )
    assert by_null.equals(by_absence)
    changed = [column for column in plain.columns if not plain[column].equals(by_null[column])]
    assert [by_null[column].to_list() for column in changed] == [[None]] * (item()[field] is not None)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("current_price", math.nan, "current_price is not finite: nan"),
        ("current_price", math.inf, "current_price is not finite: inf"),
        ("current_price", 10**400, "current_price is not finite: 1000"),
        ("current_price", 0, "current_price must be above 0: 0"),
        ("current_price", -2.5, "current_price must be above 0: -2.5"),
        ("current_price", "38938", "current_price is not a number: '38938'"),
        ("current_price", True, "current_price is not a number: True"),
        ("current_price", {"usd": 1}, "current_price is not a number: {'usd': 1}"),
        ("current_price", [1], "current_price is not a number: [1]"),
        ("market_cap", -1, "market_cap must not be negative: -1"),
        ("total_volume", -0.5, "total_volume must not be negative: -0.5"),
        ("price_change_percentage_24h", math.nan, "price_change_percentage_24h is not finite: nan"),
        ("circulating_supply", "many", "circulating_supply is not a number: 'many'"),
        ("market_cap_rank", 1.5, "market_cap_rank is not a whole number below 2^63: 1.5"),
        ("market_cap_rank", 2**63, "market_cap_rank is not a whole number below 2^63: 9223372036854775808"),
        ("market_cap_rank", True, "market_cap_rank is not a number: True"),
        ("ath_date", "yesterday", "ath_date is not an ISO time with its zone: 'yesterday'"),
        ("ath_date", 1_600_000_000, "ath_date is not an ISO time with its zone: 1600000000"),
        ("id", None, "id is missing: None"),
        ("id", " ", "id is missing: ' '"),
        ("id", 7, "id is not a text: 7"),
        ("id", "\ud800", r"id is not valid Unicode: '\ud800'"),
        ("symbol", 7, "symbol is not a text: 7"),
        ("name", ["Bitcoin"], "name is not a text: ['Bitcoin']"),
        ("last_updated", None, "last_updated is missing: None"),
        ("last_updated", "", "last_updated is not an ISO time with its zone: ''"),
        ("last_updated", STAMP_MS, f"last_updated is not an ISO time with its zone: {STAMP_MS}"),
        ("last_updated", "2025-11-22T08:25:11", "last_updated is not an ISO time with its zone: '2025-11-22T08:25:11'"),
        ("last_updated", "1970-01-01T00:00:00Z", "last_updated is before 2009-01-03T00:00:00Z: 0"),
        ("last_updated", "9999-12-31T23:59:59.999Z", "last_updated is too far ahead: 253402300799999"),
    ],
)
def test_a_field_that_cannot_be_used_sets_the_row_aside_and_says_why(field: str, value: object, reason: str) -> None:
    assert only_reason(item(**{field: value})).startswith(reason)


@pytest.mark.parametrize("raw", [None, 5, "bitcoin", [], [["id", "bitcoin"]], True, {}, item(current_price=10**5000)])
def test_what_is_no_item_is_set_aside(raw: object) -> None:
    assert only_reason(raw)


def test_the_rejected_row_names_the_coin_and_keeps_what_came() -> None:
    checked = check_markets([item(current_price=math.nan), {"id": 5}], now_ms=NOW_MS)
    named, nameless = checked.rejected
    assert (named.subject, nameless.subject) == ("bitcoin", "?")
    assert '"current_price": NaN' in named.raw
    assert nameless.raw == '{"id": 5}'


@pytest.mark.parametrize(("ahead_ms", "kept"), [(AHEAD_LIMIT_MS, 1), (AHEAD_LIMIT_MS + 1, 0)])
def test_five_minutes_ahead_is_the_limit(ahead_ms: int, kept: int) -> None:
    checked = check_markets([item()], now_ms=STAMP_MS - ahead_ms)
    assert checked.frame.height == kept


@pytest.mark.parametrize(
    "changes",
    [
        {"current_price": 99_999},  # outside of its own 24-hour band, which is refreshed apart
        {"current_price": 2.67e-05},
        {"current_price": 10**18},
        {"market_cap": 0.0, "market_cap_rank": None},
        {"total_volume": 0},
        {"market_cap_rank": 12.0},
        {"symbol": ""},
        {"atl": 0},
        {"last_updated": "2022-01-18T00:00:00+02:00"},
        {"surprise": {"new": [1, 2]}},
    ],
)
def test_odd_but_real_rows_are_kept(changes: dict[str, Any]) -> None:
    assert check_markets([item(**changes)], now_ms=NOW_MS).rejected == ()


def test_the_later_of_two_items_with_the_same_key_counts() -> None:
    checked = check_markets([item(current_price=1), item(current_price=2)], now_ms=NOW_MS)
    assert checked.frame["price"].to_list() == [2.0]
    assert checked.rejected == ()


def test_one_bad_item_does_not_cost_the_others() -> None:
    raw = [item(id=f"coin-{n}", current_price=math.nan if n == 3 else n + 1) for n in range(10)]
    checked = check_markets(raw, now_ms=NOW_MS)
    assert checked.frame.height == 9
    assert [rejected.subject for rejected in checked.rejected] == ["coin-3"]


garbage = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
mutated = st.dictionaries(st.sampled_from(sorted(item())), garbage, max_size=4).map(lambda changes: item(**changes))


@unhurried
@given(st.lists(garbage | mutated, max_size=8))
def test_whatever_comes_no_row_is_lost_and_no_bad_one_gets_through(raw: list[object]) -> None:
    distinct = [{**one, "id": f"coin-{n}"} if isinstance(one, dict) and isinstance(one.get("id"), str) else one
                for n, one in enumerate(raw)]  # fmt: skip
    checked = check_markets(distinct, now_ms=NOW_MS)
    assert checked.frame.height + len(checked.rejected) == len(raw)
    _assert_sound(checked.frame)


@unhurried
@given(st.lists(mutated, max_size=8))
def test_keys_are_unique_however_often_they_come(raw: list[object]) -> None:
    checked = check_markets([*raw, *raw], now_ms=NOW_MS)
    assert checked.frame.select("coin_id", "timestamp").is_unique().all()
    assert checked.frame.height + len(checked.rejected) <= 2 * len(raw)
    _assert_sound(checked.frame)


def _assert_sound(frame: pl.DataFrame) -> None:
    assert dict(frame.schema) == MARKET.polars_schema()
    assert frame.select(pl.col(*MARKET.key).null_count()).sum_horizontal().item() == 0
    numbers = frame.select(pl.col(pl.Float64))
    assert numbers.select(pl.all().is_finite().fill_null(value=True).all()).row(0) == (True,) * numbers.width
    assert frame.filter((pl.col("price") <= 0) | (pl.col("volume_24h") < 0)).is_empty()
    assert frame.filter(pl.col("timestamp").dt.epoch("ms") > NOW_MS + AHEAD_LIMIT_MS).is_empty()
