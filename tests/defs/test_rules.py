"""What must hold for rows before they are published, and how long an error is worth waiting for."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import error_mapping
from datahub_assets.defs.checks import rules
from datahub_assets.domain.errors import (
    DataHubError,
    HubConflict,
    HubRateLimited,
    HubRefused,
    SourceRateLimited,
    SourceUnavailable,
)
from datahub_assets.domain.rows import frame_of
from tests.datasets.foreign import INCIDENTS, RECEIPTS

NOW_MS = 1_763_985_600_000
PRICE = {"coin_id": "bitcoin", "symbol": "BTC", "price": 1.0, "volume_24h": 0.0, "change_24h": -3.0}
CANDLE = {
    "symbol": "BTCUSDT", "interval": "1h", "close_time": NOW_MS + 1, "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5,
    "volume": 0.0, "trade_count": 0, "closed": False,
}  # fmt: skip


INCIDENT = {"incident_id": "inc-1", "severity": "minor", "services": ["api"], "affected": 0}
RECEIPT = {"register": "north", "number": 7, "amount": -2.5, "settled": False}


def frame(spec: DatasetSpec, *rows: dict[str, object]) -> pl.DataFrame:
    common = {spec.time: NOW_MS, "ingested_at": NOW_MS, "provider": spec.provider}
    return frame_of(spec, [{**dict.fromkeys(spec.column_names), **common, **row} for row in rows])


def broken(spec: DatasetSpec, rows: pl.DataFrame) -> dict[str, list[str]]:
    outcome = {rule.name: rule.broken(rows, NOW_MS) for rule in rules.of(spec)}
    return {name: problems for name, problems in outcome.items() if problems}


@pytest.mark.parametrize("spec", [MARKET, OHLC, INCIDENTS, RECEIPTS])
def test_nothing_is_wrong_with_no_rows(spec: DatasetSpec) -> None:
    assert broken(spec, frame(spec)) == {}


def test_nothing_is_wrong_with_good_rows_nulls_included() -> None:
    assert broken(MARKET, frame(MARKET, PRICE, {**PRICE, "coin_id": "odd", "price": None})) == {}
    assert broken(OHLC, frame(OHLC, CANDLE)) == {}
    assert broken(INCIDENTS, frame(INCIDENTS, INCIDENT, {"incident_id": "inc-2"})) == {}
    assert broken(RECEIPTS, frame(RECEIPTS, RECEIPT)) == {}


@pytest.mark.parametrize(
    ("spec", "row", "change", "rule"),
    [
        (MARKET, PRICE, {"price": 0.0}, "numbers_plausible"),
        (MARKET, PRICE, {"price": float("nan")}, "numbers_plausible"),
        (MARKET, PRICE, {"ath": float("inf")}, "numbers_plausible"),
        (MARKET, PRICE, {"volume_24h": -1.0}, "numbers_plausible"),
        (MARKET, PRICE, {"timestamp": NOW_MS + 300_001}, "not_ahead"),
        (OHLC, CANDLE, {"low": 2.1}, "numbers_plausible"),
        (OHLC, CANDLE, {"high": 2.4}, "numbers_plausible"),
        (OHLC, CANDLE, {"open": -2.0, "low": -3.0}, "numbers_plausible"),
        (OHLC, CANDLE, {"trade_count": -1}, "numbers_plausible"),
        (OHLC, CANDLE, {"timestamp": NOW_MS + 300_001}, "not_ahead"),
        (INCIDENTS, INCIDENT, {"affected": -1}, "numbers_plausible"),
        (RECEIPTS, RECEIPT, {"number": -1}, "numbers_plausible"),
        (RECEIPTS, RECEIPT, {"amount": float("inf")}, "numbers_plausible"),
        (RECEIPTS, RECEIPT, {"stamped_at": NOW_MS + 300_001}, "not_ahead"),
    ],
)
def test_a_bad_row_is_named(spec: DatasetSpec, row: dict[str, object], change: dict[str, object], rule: str) -> None:
    problems = broken(spec, frame(spec, {**row, **change}))
    assert list(problems) == [rule]
    assert str(row[spec.key[0]]) in problems[rule][0]


@pytest.mark.parametrize(
    ("spec", "row", "change", "told"),
    [
        (MARKET, PRICE, {"price": 0.0}, "1 rows with price not above 0: bitcoin"),
        (MARKET, PRICE, {"volume_24h": -1.0}, "1 rows with volume_24h below 0: bitcoin"),
        (MARKET, PRICE, {"market_cap_rank": 0}, "1 rows with market_cap_rank below 1: bitcoin"),
        (MARKET, PRICE, {"ath": float("nan")}, "1 rows with ath not finite: bitcoin"),
        (OHLC, CANDLE, {"high": 2.4}, "1 rows open or close outside low and high: BTCUSDT 1h"),
    ],
)
def test_the_column_and_its_bound_are_named(
    spec: DatasetSpec, row: dict[str, object], change: dict[str, object], told: str
) -> None:
    (line,) = broken(spec, frame(spec, {**row, **change}))["numbers_plausible"]
    assert line.startswith(told)


@pytest.mark.parametrize(
    ("spec", "row", "lacking"),
    [
        (INCIDENTS, INCIDENT, "incident_id"),
        (INCIDENTS, INCIDENT, "timestamp"),
        (RECEIPTS, RECEIPT, "settled"),
        (RECEIPTS, RECEIPT, "stamped_at"),
        (OHLC, CANDLE, "closed"),
    ],
)
def test_a_row_that_lacks_what_places_it_is_named(spec: DatasetSpec, row: dict[str, object], lacking: str) -> None:
    assert broken(spec, frame(spec, {**row, lacking: None}))["key_unique"] == [f"1 rows without {lacking}"]


def test_a_group_without_files_is_named() -> None:
    told = broken(OHLC, frame(OHLC, CANDLE, {**CANDLE, "interval": "7h"}))
    assert told == {"key_unique": ["rows of interval 7h, which no file is for"]}


def test_five_minutes_ahead_is_still_fine() -> None:
    assert broken(MARKET, frame(MARKET, {**PRICE, "timestamp": NOW_MS + 300_000})) == {}


def test_a_dataset_says_how_far_ahead_is_fine() -> None:
    spec = replace(RECEIPTS, ahead_ms=7_200_000)
    (rule,) = (one for one in rules.of(spec) if one.name == "not_ahead")
    assert rule.description == "No row is stamped more than 120 minutes ahead."
    late, later = (frame(spec, {**RECEIPT, "stamped_at": NOW_MS + 7_200_000 + more}) for more in (0, 1))
    assert (broken(spec, late), list(broken(spec, later))) == ({}, ["not_ahead"])


def test_a_key_that_comes_twice_is_named() -> None:
    problems = broken(MARKET, frame(MARKET, PRICE, PRICE))
    assert list(problems) == ["key_unique"]
    assert "bitcoin" in problems["key_unique"][0]


def test_other_columns_or_types_are_found() -> None:
    rows = frame(MARKET, PRICE)
    assert list(broken(MARKET, rows.with_columns(pl.col("market_cap_rank").cast(pl.Int32)))) == ["columns_and_types"]


def test_keys_are_written_as_people_read_them() -> None:
    stamp = str(datetime.fromtimestamp(NOW_MS / 1000, UTC))
    assert stamp in broken(MARKET, frame(MARKET, {**PRICE, "price": 0.0}))["numbers_plausible"][0]


@pytest.mark.parametrize(
    ("error", "attempt", "wait_s"),
    [
        (SourceUnavailable("down"), 0, 2.0),
        (SourceUnavailable("down"), 1, 4.0),
        (HubConflict("moved"), 0, 2.0),
        (SourceRateLimited("slow down", retry_after_s=7), 0, 7.5),
        (HubRateLimited("slow down", retry_after_s=7), 2, 7.5),
        (SourceRateLimited("slow down", retry_after_s=60), 0, None),
        (HubRefused("no"), 0, None),
        (DataHubError("what?"), 0, None),
    ],
)
def test_waiting_depends_on_the_type_of_the_error(error: DataHubError, attempt: int, wait_s: float | None) -> None:
    assert error_mapping.retry_wait_s(error, attempt=attempt, jitter=0.5) == wait_s
