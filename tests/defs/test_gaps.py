"""Which gaps Binance is asked for again, tick after tick."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from datahub_assets.datasets.candles import refetch_gaps
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.defs import chain
from datahub_assets.domain.gaps import Cause
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.hub import layout
from datahub_assets.stores.recovery import inherited_gaps
from tests.defs.conftest import NOON_MS, Bench
from tests.stores.world import GAPS, candles

LOG = logging.getLogger(__name__)
MANY = 21
"""More gaps than are asked for in one tick."""


def following(bench: Bench, *symbols: str) -> Bench:
    settings = bench.datahub.settings
    own = settings.of(CandleSettings).model_copy(update={"symbols": symbols})
    changed = settings.model_copy(update={"of_datasets": {**settings.of_datasets, CandleSettings: own}})
    return replace(bench, datahub=replace(bench.datahub, settings=changed))


def with_a_hole(bench: Bench, *symbols: str) -> None:
    """Hourly candles of these pairs in the cache, without the one of three hours ago."""
    rows = candles(NOON_MS, pairs=1, back=6, intervals=["1h"], skip=[NOON_MS - 3 * HOUR_MS])
    with bench.datahub.cache() as cache:
        cache.upsert(OHLC, pl.concat([rows.with_columns(symbol=pl.lit(symbol)) for symbol in symbols]))


def ask(bench: Bench) -> set[str | None]:
    """Ask again a minute later; which pairs were asked for."""
    bench.clock.advance(MINUTE_MS)
    bench.binance.forget_requests()
    with bench.datahub.cache() as cache:
        refetch_gaps.refetch(bench.datahub, cache, log=LOG)
        cache.drain(bench.datahub.landing, OHLC, now_ms=bench.clock.now_ms())
    return {request.get("symbol") for request in bench.binance.requested(path="klines")}


def test_pairs_the_exchange_no_longer_knows_do_not_keep_others_from_being_asked(bench: Bench) -> None:
    gone = [f"AGONE{number:02d}USDT" for number in range(MANY)]
    bench = following(bench, *gone, "BTCUSDT")
    with_a_hole(bench, *gone, "BTCUSDT")
    assert "BTCUSDT" not in ask(bench)
    assert "BTCUSDT" in ask(bench)
    assert ask(bench) == set(), "what was refused is not asked for again at once"
    with bench.datahub.cache() as cache:
        known = cache.gaps(OHLC).coverages()
    assert known["BTCUSDT", "1h"].gaps == ()
    assert {(gap.cause, gap.asks) for symbol in gone for gap in known[symbol, "1h"].gaps} == {(Cause.NOT_FETCHED, 1)}


HOLE_MS = NOON_MS - 3 * HOUR_MS


def answered_with_none(bench: Bench) -> Bench:
    """A hole that the exchange was asked about when it had nothing there, and has now."""
    bench = following(bench, "BTCUSDT")
    bench.binance.gap("BTCUSDT", start_ms=HOLE_MS, end_ms=HOLE_MS + HOUR_MS)
    with_a_hole(bench, "BTCUSDT")
    ask(bench)
    bench.binance.listings["BTCUSDT"].gaps.clear()
    return bench


def test_a_gap_that_the_exchange_fills_after_all_still_says_that_it_had_none(bench: Bench) -> None:
    bench = answered_with_none(bench)
    bench.clock.advance(10 * MINUTE_MS)
    assert ask(bench) == {"BTCUSDT"}
    with bench.datahub.cache() as cache:
        (line,) = cache.table(GAPS).read().iter_rows(named=True)
    assert (line["cause"], line["healed_at"] is None, line["asks"]) == (Cause.EXCHANGE_HAD_NONE, False, 2)


def test_a_candle_that_comes_bad_after_the_exchange_had_none_is_quarantined(bench: Bench) -> None:
    bench = answered_with_none(bench)
    bad = [HOLE_MS, "1", "0.5", "2", "1", "1", HOLE_MS + HOUR_MS - 1, "1", 1, "1", "1", "0"]  # high below low
    bench.binance.set_kline("BTCUSDT", "1h", open_time=HOLE_MS, kline=bad)
    bench.clock.advance(10 * MINUTE_MS)
    ask(bench)
    with bench.datahub.cache() as cache:
        (gap,) = cache.gaps(OHLC).coverages()["BTCUSDT", "1h"].gaps
    assert gap.cause is Cause.QUARANTINED


def test_a_pair_taken_out_of_the_settings_is_neither_asked_for_nor_missed(bench: Bench) -> None:
    with_a_hole(bench, "BTCUSDT", "ETHUSDT")
    bench = following(bench, "ETHUSDT")
    assert ask(bench) == {"ETHUSDT"}
    with bench.datahub.cache() as cache:
        before = cache.gaps(OHLC).coverages()["BTCUSDT", "1h"]
    assert len(before.gaps) == 1
    bench.clock.advance(5 * HOUR_MS)
    assert bench.run(OHLC).success
    with bench.datahub.cache() as cache:
        assert cache.gaps(OHLC).coverages()["BTCUSDT", "1h"] == before


def test_gaps_of_a_pair_taken_out_of_the_settings_are_told_and_fail_no_check(bench: Bench) -> None:
    both = following(bench, "BTCUSDT", "ETHUSDT")
    with_a_hole(both, "BTCUSDT", "ETHUSDT")
    assert asked_for_all(both) == (False, {"gaps_not_fetched": 2, "gaps_of_series_not_collected": 0})
    assert asked_for_all(following(bench, "ETHUSDT")) == (
        False,
        {"gaps_not_fetched": 1, "gaps_of_series_not_collected": 1},
    )
    assert asked_for_all(following(bench, "BNBUSDT")) == (True, {"gaps_of_series_not_collected": 2})


def test_every_pair_of_a_quote_is_followed(bench: Bench) -> None:
    settings = bench.datahub.settings.of(CandleSettings).model_copy(
        update={"symbols": ("all:USDT",), "intervals": ("1h",)}
    )
    asked = [("ETHUSDT", "1h"), ("ETHBTC", "1h"), ("ETHUSDT", "4h")]
    assert [settings.follows(series) for series in asked] == [True, False, False]


def asked_for_all(bench: Bench) -> tuple[bool, dict[str, Any]]:
    """The check of gaps: whether it passes, and its metadata."""
    job = bench.definitions.resolve_job_def(chain.job_name(OHLC))
    result = job.execute_in_process(instance=bench.instance, asset_selection=[chain.hub_key(OHLC)])
    (verdict,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "no_gaps_unasked"]
    return verdict.passed, {name: value.value for name, value in verdict.metadata.items()}


def open_lines(bench: Bench) -> int:
    content = bench.hub.read(OHLC, GAPS.path, revision=bench.hub.head(OHLC))
    return layout.read(GAPS, content, name=GAPS.path).filter(pl.col("healed_at").is_null()).height


def test_gaps_of_a_machine_that_was_replaced_are_closed(bench: Bench, tmp_path: Path) -> None:
    start = NOON_MS - 10 * HOUR_MS
    bench.binance.gap("BTCUSDT", start_ms=start, end_ms=start + 2 * HOUR_MS)
    bench.run(OHLC)
    assert open_lines(bench) > 0
    bench.binance.listings["BTCUSDT"].gaps.clear()
    settings = bench.datahub.settings.model_copy(update={"home": tmp_path / "another"})
    other = replace(bench, datahub=replace(bench.datahub, settings=settings))
    for _ in range(2):
        bench.clock.advance(MINUTE_MS)
        assert other.run(OHLC).success
    assert open_lines(other) == 0
    with other.datahub.cache() as cache:
        assert inherited_gaps.close(OHLC, cache=cache, hub=other.hub, now_ms=bench.clock.now_ms()) == 0, (
            "once is enough"
        )
