"""The chains, run in this process against fake upstreams and a real Hub."""

import logging
from dataclasses import replace

import dagster as dg
import polars as pl
import pytest
from huggingface_hub import HfApi
from pydantic import SecretStr

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.domain.ledgers import named_text
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import MINUTE_MS, utc_datetime
from datahub_assets.stores import landing
from datahub_assets.stores.cache import quarantine
from tests.defs.conftest import Bench, materialized, on_hub, verdicts


def test_a_run_brings_rows_from_upstream_to_the_hub(bench: Bench, spec: DatasetSpec) -> None:
    result = bench.run(spec)
    assert result.success
    rows = {MARKET.name: 20, OHLC.name: 2 * 2 * 30}[spec.name]
    assert materialized(result, chain.source_key(spec))["dagster/row_count"] == rows
    cached = materialized(result, chain.cache_key(spec))
    assert (cached["inserted"], cached["updated"], cached["waiting_for_hub"]) == (rows, 0, rows)
    published = materialized(result, chain.hub_key(spec))
    assert published["rows_published"] == published["dagster/row_count"] == rows
    hub = bench.hub
    assert str(published["commit"]).endswith(
        HfApi(endpoint=bench.server.url).dataset_info(hub.repo_id(spec)).sha or "?"
    )
    assert all(passed for passed, _ in verdicts(result).values())
    assert len(verdicts(result)) == {MARKET.name: 9, OHLC.name: 10}[spec.name]


def test_a_person_sees_a_table_and_times(bench: Bench) -> None:
    facts = materialized(bench.run(MARKET), chain.source_key(MARKET))
    assert "| bitcoin | BTC |" in str(facts["preview"])
    assert str(facts["newest_timestamp"]).endswith("Z")
    assert isinstance(facts["lag_s"], float)
    assert facts["lag_s"] >= 0


def test_the_worker_status_tells_what_happened(bench: Bench, spec: DatasetSpec) -> None:
    bench.run(spec)
    told = bench.status(spec)
    assert told["last_error"] is None
    assert told["last_tick"] == told["last_success"] == "2025-11-24T12:00:00.000Z"
    assert told["rows"] == on_hub(bench, spec)
    assert (told["commits_last_hour"], told["rejected"]) == (1, 0)
    assert told["gaps_open"] == (0 if spec is OHLC else None)
    assert len(told["last_commit"]) == 40


def test_a_second_run_without_news_makes_no_commit(bench: Bench, spec: DatasetSpec) -> None:
    bench.coingecko.hold()
    first = materialized(bench.run(spec), chain.hub_key(spec))
    result = bench.run(spec)
    second = materialized(result, chain.hub_key(spec))
    assert result.success
    assert "commit" in first
    assert "commit" not in second
    assert second["rows_published"] == 0


def test_each_asset_can_be_materialized_alone(bench: Bench, spec: DatasetSpec) -> None:
    source, cached, published = chain.keys(spec)
    assert bench.materialize(spec, source).success
    assert len(landing.landed(bench.datahub.landing, spec)) == 1
    assert on_hub(bench, spec) == 0
    assert bench.materialize(spec, cached).success
    assert landing.landed(bench.datahub.landing, spec) == []
    assert on_hub(bench, spec) == 0
    assert bench.materialize(spec, published).success
    assert on_hub(bench, spec) > 0


def test_rejected_rows_warn_by_name_and_the_others_go_on(bench: Bench) -> None:
    bench.coingecko.set_coin("bitcoin", current_price=-1)
    result = bench.run(MARKET)
    assert result.success
    (accepted,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "all_rows_accepted"]
    assert not accepted.passed
    assert accepted.severity is dg.AssetCheckSeverity.WARN
    assert "bitcoin" in (accepted.description or "")
    assert on_hub(bench, MARKET) == 19
    assert bench.status(MARKET)["rejected"] == 1


def test_rejected_rows_beyond_those_kept_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_LINES", 1)
    for coin in ("bitcoin", "ethereum", "tether"):
        bench.coingecko.set_coin(coin, current_price=-1)
    result = bench.run(MARKET)
    cached = materialized(result, chain.cache_key(MARKET))
    assert (cached["quarantined"], cached["quarantine_dropped"]) == (3, 2)
    said = [entry.user_message for entry in bench.instance.all_logs(result.run_id) if entry.level == logging.WARNING]
    assert "the quarantine of market keeps 1 lines: the 2 seen longest ago are forgotten" in said
    assert bench.status(MARKET)["rejected"] == 1


def test_rejected_rows_forgotten_for_their_age_are_told(bench: Bench) -> None:
    old = Rejected.of(MARKET, subject="bitcoin", reason="price is null", raw={})
    with bench.datahub.cache() as cache:
        cache.quarantine([old], now_ms=bench.clock.now_ms() - quarantine.RETENTION_MS - 1)
    result = bench.run(MARKET)
    assert materialized(result, chain.cache_key(MARKET))["quarantine_dropped"] == 1
    said = [entry.user_message for entry in bench.instance.all_logs(result.run_id)]
    assert "1 lines in quarantine of market were last seen 90 days ago: forgotten" in said


@pytest.mark.usefixtures("impatient")
def test_an_upstream_that_is_down_fails_its_chain_and_no_other(bench: Bench) -> None:
    bench.coingecko.fail("html", times=None)
    result = bench.run(MARKET)
    assert not result.success
    error = bench.status(MARKET)["last_error"]
    assert error["code"] == "source_malformed"
    assert error["at"] == "2025-11-24T12:00:00.000Z"
    assert bench.run(OHLC).success
    bench.coingecko.recover()
    assert bench.run(MARKET).success
    assert bench.status(MARKET)["last_error"] is None
    assert on_hub(bench, MARKET) == 20


def test_a_long_pause_is_left_to_a_later_tick(bench: Bench) -> None:
    bench.coingecko.fail("rate_limited", times=None, retry_after_s=119)
    assert not bench.run(MARKET).success
    asked = len(bench.coingecko.requested())
    with bench.datahub.cache() as cache:
        pause_until_ms = cache.note(MARKET, "pause_until_ms")
    assert pause_until_ms > bench.clock.now_ms() + 100_000
    assert not bench.run(MARKET).success
    assert len(bench.coingecko.requested()) == asked


@pytest.mark.usefixtures("impatient")
def test_a_hub_that_is_down_keeps_rows_waiting(bench: Bench) -> None:
    bench.server.stop()
    try:
        assert not bench.run(MARKET).success
        assert bench.status(MARKET)["last_error"]["code"] == "hub_unavailable"
    finally:
        bench.server.start()
    bench.clock.advance(MINUTE_MS)
    result = bench.run(MARKET)
    assert result.success
    assert on_hub(bench, MARKET) > 20


def test_a_token_that_may_not_write_fails_without_retry(bench: Bench) -> None:
    reader = bench.server.add_user("reader", role="read")
    settings = bench.datahub.settings.model_copy(update={"hf_token": SecretStr(reader)})
    result = replace(bench, datahub=replace(bench.datahub, settings=settings)).run(MARKET)
    assert not result.success
    assert bench.status(MARKET)["last_error"]["code"] == "hub_refused"
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_rows_that_are_not_fit_are_not_published(bench: Bench) -> None:
    bench.run(OHLC)
    before = on_hub(bench, OHLC)
    with bench.datahub.cache() as cache:
        table = cache.table(OHLC)
        row = table.read().head(1).with_columns(high=pl.lit(0.5), low=pl.lit(0.9))
        table.put(row, version=10**6)
        series = cache.series(OHLC)  # otherwise the row would be asked for again, and be well
        series.note_rechecks(series.last_times(), failed=(), now_ms=bench.clock.now_ms())
    result = bench.run(OHLC)
    assert not result.success
    passed, description = verdicts(result)["numbers_plausible"]
    assert not passed
    assert "open or close outside low and high" in (description or "")
    assert chain.hub_key(OHLC) not in {e.asset_key for e in result.get_asset_materialization_events()}
    assert on_hub(bench, OHLC) == before


def test_a_gap_is_asked_for_again_and_heals(bench: Bench) -> None:
    hour_ms = 60 * MINUTE_MS
    start = bench.clock.now_ms() - 10 * hour_ms
    bench.binance.gap("BTCUSDT", start_ms=start, end_ms=start + 2 * hour_ms)
    bench.run(OHLC)
    assert bench.status(OHLC)["gaps_open"] > 0
    bench.clock.advance(5 * MINUTE_MS)
    bench.binance.forget_requests()
    result = bench.run(OHLC)
    asked = [r for r in bench.binance.requested(path="klines") if r.get("startTime") == str(start)]
    assert asked
    assert verdicts(result)["no_gaps_unasked"][0]


def test_a_candle_corrected_many_hours_later_is_noticed_though_four_of_five_ticks_are_missed(bench: Bench) -> None:
    bench.run(OHLC)
    old = bench.clock.now_ms() - 20 * 60 * MINUTE_MS
    bench.binance.trade("BTCUSDT", factor=1.5, at_ms=old)
    for _ in range(12):
        bench.clock.advance(5 * MINUTE_MS)
        assert bench.run(OHLC).success
    ledger = corrections_of(OHLC)
    assert ledger is not None
    with bench.datahub.cache() as cache:
        lines = cache.table(ledger).read()
    assert set(lines["dataset"]) == {OHLC.name}
    assert set(lines["key"]) == {
        named_text({"symbol": "BTCUSDT", "interval": name, "timestamp": utc_datetime(interval(name).floor(old))})
        for name in ("1h", "4h")
    }
