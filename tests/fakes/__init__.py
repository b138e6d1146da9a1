"""Stand-ins for the upstream services: real HTTP servers on loopback that behave, or misbehave on command.

Nothing here knows the project under test; only what the real services document and were seen to do.

    with FakeBinance(clock=Clock(at_ms)) as binance, FakeCoinGecko(clock=binance.clock) as coingecko:
        binance.fail("rate_limited", retry_after_s=7)
        binance.trade("BTCUSDT", factor=1.01)
        coingecko.set_coin("bitcoin", current_price=None)
"""

from tests.fakes.archive import FakeArchive
from tests.fakes.binance import FakeBinance
from tests.fakes.clock import Clock
from tests.fakes.coingecko import FakeCoinGecko
from tests.fakes.control_client import Door

__all__ = ["Clock", "Door", "FakeArchive", "FakeBinance", "FakeCoinGecko"]
