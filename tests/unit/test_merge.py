"""Merging versions of rows: idempotent, independent of order, and never inventing a row."""

from collections.abc import Iterable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrected_values, ledgers_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import content_columns, frame_of, merge, overlay, supersede
from tests.datasets.foreign import INCIDENTS, RECEIPTS

GAPS, CORRECTIONS = ledgers_of(OHLC)
HOUR_MS = 3_600_000
Row = dict[str, object]


@st.composite
def candle(draw: st.DrawFn) -> Row:
    open_time = draw(st.integers(0, 3)) * HOUR_MS
    return {
        "symbol": draw(st.sampled_from(["AUSDT", "BUSDT"])),
        "interval": "1h",
        "timestamp": open_time,
        "close_time": open_time + HOUR_MS - 1,
        "close": draw(st.sampled_from([1.0, 2.0, None])),
        "volume": draw(st.sampled_from([0.0, 1.0])),
        "trade_count": draw(st.sampled_from([1, None])),
        "closed": draw(st.booleans()),
        "provider": "binance",
        "ingested_at": draw(st.integers(0, 3)),
    }


@st.composite
def price(draw: st.DrawFn) -> Row:
    return {
        "coin_id": draw(st.sampled_from(["bitcoin", "ethereum"])),
        "timestamp": draw(st.integers(0, 3)),
        "price": draw(st.sampled_from([1.0, 2.0])),
        "market_cap": draw(st.sampled_from([1.0, None])),
        "ingested_at": draw(st.integers(0, 3)),
    }


@st.composite
def incident(draw: st.DrawFn) -> Row:
    return {
        "incident_id": draw(st.sampled_from(["a", "b"])),
        "timestamp": draw(st.integers(0, 2)),
        "services": draw(st.sampled_from([None, [], [None], ["api"], ["api", "wallet"], ["wallet", "api"]])),
        "ingested_at": draw(st.integers(0, 3)),
    }


@st.composite
def receipt(draw: st.DrawFn) -> Row:
    return {
        "register": "north",
        "number": draw(st.integers(1, 2)),
        "stamped_at": draw(st.integers(0, 2)),
        "amount": draw(st.sampled_from([1.0, 2.0, None])),
        "settled": draw(st.booleans()),
        "ingested_at": draw(st.integers(0, 3)),
    }


ROWS = [(OHLC, candle()), (MARKET, price()), (INCIDENTS, incident()), (RECEIPTS, receipt())]
FRAMES = st.one_of([st.tuples(st.just(spec), st.lists(row, max_size=8)) for spec, row in ROWS]).map(
    lambda case: (case[0], whole(*case))
)
PAIRS = st.one_of(
    [st.tuples(st.just(spec), st.lists(row, max_size=8), st.lists(row, max_size=8)) for spec, row in ROWS]
).map(lambda pair: (pair[0], whole(pair[0], pair[1]), whole(pair[0], pair[2])))


def whole(spec: DatasetSpec, rows: Iterable[Row]) -> pl.DataFrame:
    return frame_of(spec, [{name: row.get(name) for name in spec.column_names} for row in rows])


def as_set(frame: pl.DataFrame) -> set[str]:
    return {repr(row) for row in frame.rows()}  # lists cannot be in a set


@given(FRAMES)
def test_merging_again_changes_nothing(case: tuple[DatasetSpec, pl.DataFrame]) -> None:
    spec, frame = case
    once = merge(spec, [frame])
    assert merge(spec, [once]).equals(once)
    assert merge(spec, [once, frame]).equals(once)


@given(FRAMES, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_frames_does_not_matter(case, random) -> None:  # type: ignore[no-untyped-def]
    spec, frame = case
    rows = list(range(frame.height))
    random.shuffle(rows)
    cut = random.randint(0, len(rows))
    parts = [frame[rows[cut:]], frame[rows[:cut]]]
    assert merge(spec, parts).equals(merge(spec, [frame]))


@given(FRAMES)
def test_each_key_stays_once_and_no_row_is_invented(case: tuple[DatasetSpec, pl.DataFrame]) -> None:
    spec, frame = case
    merged = merge(spec, [frame])
    assert as_set(merged) <= as_set(frame)
    assert as_set(merged.select(spec.key)) == as_set(frame.select(spec.key))
    assert merged.select(spec.key).is_unique().all()


@given(FRAMES)
def test_a_final_version_beats_an_open_one_then_the_later_fetch_wins(case) -> None:  # type: ignore[no-untyped-def]
    spec, frame = case
    for row in merge(spec, [frame]).iter_rows(named=True):
        rivals = frame.filter(*(pl.col(name) == row[name] for name in spec.key))
        if spec.final is not None:
            assert row[spec.final] == rivals[spec.final].any()
            rivals = rivals.filter(pl.col(spec.final) == row[spec.final])
        assert row["ingested_at"] == rivals["ingested_at"].max()


@given(PAIRS)
def test_supersede_gives_exactly_what_must_be_written(case: tuple[DatasetSpec, pl.DataFrame, pl.DataFrame]) -> None:
    spec, before, incoming = case
    stored = merge(spec, [before])
    changes = supersede(spec, stored=stored, incoming=incoming)
    after = overlay(spec, stored=stored, changes=changes)

    assert as_set(changes) <= as_set(incoming)
    assert after.select(spec.key).is_unique().all()
    content = content_columns(spec)
    assert as_set(after.select(content)) == as_set(merge(spec, [stored, incoming]).select(content))
    assert supersede(spec, stored=after, incoming=incoming).is_empty(), "the same again changes nothing"
    same = stored.join(changes, on=list(spec.key), how="anti")
    assert as_set(same) <= as_set(after), "what does not change keeps its ingested_at"
    assert changes.join(stored, on=content, how="inner", nulls_equal=True).is_empty()


def test_a_row_fetched_again_with_the_same_content_is_no_change() -> None:
    row: Row = {"coin_id": "bitcoin", "timestamp": 1, "price": 2.0, "ingested_at": 10}
    stored = whole(MARKET, [row])
    assert supersede(MARKET, stored=stored, incoming=whole(MARKET, [{**row, "ingested_at": 20}])).is_empty()
    changed = supersede(MARKET, stored=stored, incoming=whole(MARKET, [{**row, "price": 3.0, "ingested_at": 20}]))
    assert changed["ingested_at"].dt.epoch("ms").to_list() == [20]


@pytest.mark.parametrize(("closed_now", "lines"), [(True, 1), (False, 0)])
def test_only_closed_candles_are_corrected(closed_now: bool, lines: int) -> None:
    row: Row = {"symbol": "AUSDT", "interval": "1h", "timestamp": 0, "close": 1.0, "closed": True, "ingested_at": 5}
    before, after = whole(OHLC, [row]), whole(OHLC, [{**row, "close": 2.0, "closed": closed_now, "ingested_at": 9}])
    found = corrected_values(OHLC, before=before, after=after)
    assert found.height == lines
    assert found.schema == pl.Schema(CORRECTIONS.polars_schema())
    if lines:
        line = found.row(0, named=True)
        assert (line["column"], line["old"], line["new"]) == ("close", "1.0", "2.0")


@pytest.mark.parametrize(("old", "new", "lines"), [(None, 1.0, 0), (1.0, None, 1), (None, None, 0), (1.0, 1.0, 0)])
def test_a_value_where_there_was_none_is_no_correction(old: float | None, new: float | None, lines: int) -> None:
    row: Row = {"symbol": "AUSDT", "interval": "1h", "timestamp": 0, "close": 1.0, "closed": True, "ingested_at": 5}
    before = whole(OHLC, [{**row, "quote_volume": old}])
    after = whole(OHLC, [{**row, "quote_volume": new, "ingested_at": 9}])
    assert corrected_values(OHLC, before=before, after=after)["column"].to_list() == ["quote_volume"] * lines


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 3)), max_size=8))
def test_a_ledger_keeps_the_latest_line_of_each_key(lines: list[tuple[int, int, int]]) -> None:
    frame = frame_of(
        GAPS,
        [
            {
                **dict.fromkeys(GAPS.column_names),
                "dataset": "ohlc",
                "series": '{"symbol":"AUSDT","interval":"1h"}',
                "first_time": first,
                "updated_at": updated,
                "missing": missing,
            }
            for first, updated, missing in lines
        ],
    )
    merged = GAPS.merge([frame])
    assert GAPS.merge([merged, frame.reverse()]).equals(merged)
    assert {(row[0], row[1]) for row in lines} >= set(
        merged.select(pl.col("first_time", "updated_at").dt.epoch("ms")).rows()
    )
    assert merged.select(GAPS.key).is_unique().all()
