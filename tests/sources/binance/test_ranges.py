"""Asking again for what is missing."""

from datahub_assets.datasets.candles.client import Range, fetch_ranges
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.times import DAY_MS, HOUR_MS
from datahub_assets.sources.backoff import Backoff
from tests.fakes import Clock, FakeBinance
from tests.sources.binance.conftest import KLINES, NEWEST_HOUR, rows_of
from tests.sources.conftest import LOG, SettingsOf


def test_a_range_is_answered_in_full(
    settings_of: SettingsOf, binance: FakeBinance, clock: Clock, backoff: Backoff
) -> None:
    start = NEWEST_HOUR - 3000 * HOUR_MS
    binance.gap("ETHUSDT", start_ms=start, end_ms=start + DAY_MS)
    hour = interval("1h")
    ranges = [
        Range("BTCUSDT", hour, start, start + 1500 * HOUR_MS),
        Range("ETHUSDT", hour, start, start + DAY_MS - 1),
        Range("NOPEUSDT", hour, start, start + DAY_MS - 1),
    ]
    wanted = settings_of().of(CandleSettings)
    fetched = fetch_ranges(wanted, ranges=ranges, clock=clock.now_ms, log=LOG, backoff=backoff)
    times = [row[0] for row in rows_of(fetched, "BTCUSDT", "1h")]
    assert times == list(range(start, start + 1501 * HOUR_MS, HOUR_MS))
    assert rows_of(fetched, "ETHUSDT", "1h") == []  # the exchange had none
    assert fetched.failed.keys() == {("NOPEUSDT", "1h")}


def test_no_range_is_no_request_for_klines(
    settings_of: SettingsOf, binance: FakeBinance, clock: Clock, backoff: Backoff
) -> None:
    fetched = fetch_ranges(settings_of().of(CandleSettings), ranges=[], clock=clock.now_ms, log=LOG, backoff=backoff)
    assert fetched.checked.frame.is_empty()
    assert binance.requested(path=KLINES) == []
