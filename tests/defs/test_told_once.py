"""What goes on for long is told when it begins and when it is over, not at each tick."""

import logging
from dataclasses import replace

import dagster as dg
import pytest

from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs import chain
from datahub_assets.domain.times import MINUTE_MS, iso
from tests.defs.conftest import Bench


def told(bench: Bench, result: dg.ExecuteInProcessResult) -> list[str]:
    """The lines of a run that a person sees as warnings, errors or their end."""
    lines = bench.instance.all_logs(result.run_id)
    return [
        line.user_message
        for line in lines
        if not line.is_dagster_event and (int(line.level) >= logging.WARNING or line.user_message.startswith("over, "))
    ]


def test_a_pair_the_exchange_does_not_know_is_told_once_and_when_it_is_gone(bench: Bench) -> None:
    settings = bench.datahub.settings
    own = settings.of(CandleSettings)
    wrong = own.model_copy(update={"symbols": ("BTCUSDT", "NOSUCHUSDT")})
    changed = settings.model_copy(update={"of_datasets": {**settings.of_datasets, CandleSettings: wrong}})
    misspelt = replace(bench, datahub=replace(bench.datahub, settings=changed))
    said = []
    for _ in range(3):
        bench.clock.advance(MINUTE_MS)
        said.append(told(misspelt, misspelt.materialize(OHLC, chain.source_key(OHLC))))
    assert [len(lines) for lines in said] == [1, 0, 0]
    assert "Binance refuses NOSUCHUSDT (delisted or misspelt?" in said[0][0]
    (warning,) = bench.datahub.status.chain("ohlc").warnings
    assert warning == said[0][0]
    (over,) = told(bench, bench.materialize(OHLC, chain.source_key(OHLC)))
    assert over.startswith("over, since 2025-11-24 12:01")
    assert bench.datahub.status.chain("ohlc").warnings == []


@pytest.mark.usefixtures("impatient")
def test_an_outage_is_told_once_and_when_it_is_over(bench: Bench) -> None:
    bench.coingecko.fail("server_error", times=None)
    said = []
    for _ in range(3):
        bench.clock.advance(MINUTE_MS)
        said.append(told(bench, bench.materialize(MARKET, chain.source_key(MARKET))))
    assert [len(lines) for lines in said] == [2, 0, 0], "that it is tried again, and that it was in vain"
    assert bench.status(MARKET)["last_error"]["at"] == iso(bench.clock.now_ms()), "the status follows"
    bench.coingecko.recover()
    (over,) = told(bench, bench.materialize(MARKET, chain.source_key(MARKET)))
    assert over.startswith("over, since 2025-11-24 12:01")
