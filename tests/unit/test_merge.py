"""Merging versions of rows: idempotent, independent of order, and never inventing a row."""

from collections.abc import Iterable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.datasets.candles.ledgers import CORRECTIONS, GAPS, corrections
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import content_columns, frame_of, merge, overlay, supersede

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


FRAMES = st.one_of(
    st.lists(candle(), max_size=8).map(lambda rows: (OHLC, whole(OHLC, rows))),
    st.lists(price(), max_size=8).map(lambda rows: (MARKET, whole(MARKET, rows))),
)
PAIRS = st.one_of(
    st.tuples(st.just(OHLC), st.lists(candle(), max_size=8), st.lists(candle(), max_size=8)),
    st.tuples(st.just(MARKET), st.lists(price(), max_size=8), st.lists(price(), max_size=8)),
).map(lambda pair: (pair[0], whole(pair[0], pair[1]), whole(pair[0], pair[2])))


def whole(spec: DatasetSpec, rows: Iterable[Row]) -> pl.DataFrame:
    return frame_of(spec, [{name: row.get(name) for name in spec.column_names} for row in rows])


def as_set(frame: pl.DataFrame) -> set[tuple[object, ...]]:
    return set(frame.rows())


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
def test_a_closed_candle_beats_a_forming_one_then_the_later_fetch_wins(case) -> None:  # type: ignore[no-untyped-def]
    spec, frame = case
    for row in merge(spec, [frame]).iter_rows(named=True):
        rivals = frame.filter(*(pl.col(name) == row[name] for name in spec.key))
        if spec.has_forming_rows:
            assert row["closed"] == rivals["closed"].any()
            rivals = rivals.filter(pl.col("closed") == row["closed"])
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
    found = corrections(OHLC, before=before, after=after)
    assert found.height == lines
    assert found.schema == pl.Schema(CORRECTIONS.polars_schema())
    if lines:
        line = found.row(0, named=True)
        assert (line["old_close"], line["new_close"]) == (1.0, 2.0)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 3)), max_size=8))
def test_a_ledger_keeps_the_latest_line_of_each_key(lines: list[tuple[int, int, int]]) -> None:
    frame = pl.DataFrame(
        [
            {
                **dict.fromkeys(GAPS.column_names),
                "symbol": "AUSDT",
                "interval": "1h",
                "first_time": first,
                "updated_at": updated,
                "candles": candles,
            }
            for first, updated, candles in lines
        ],
        schema=GAPS.polars_schema(),
    )
    merged = GAPS.merge([frame])
    assert GAPS.merge([merged, frame.reverse()]).equals(merged)
    assert {(row[0], row[1]) for row in lines} >= set(
        merged.select(pl.col("first_time", "updated_at").dt.epoch("ms")).rows()
    )
    assert merged.select(GAPS.key).is_unique().all()
