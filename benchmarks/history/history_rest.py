"""How much of the exchange's request weight history takes: of 1,200 a minute on loopback, over two whole minutes.

Candles of four hours, which REST is asked for first, by a fill that works alone. The exchange answers 429 above its
limit; what it refused does not count.
"""

import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.history.archive_server import archive
from benchmarks.history.history_fill import fill_command, fill_environment, hub_at
from benchmarks.measuring.results import Row, ratio_at_least, spread
from benchmarks.measuring.rounds import FULL, Effort
from benchmarks.servers.processes import running
from datahub_assets.domain.history import Month
from tests.fakes.binance import FakeBinance
from tests.fakes.clock import Clock
from tests.fakes.server import Answer, Request

LIMIT: Final = 1200
_SHARE: Final = 0.9
_PAIRS: Final = 60
_INTERVAL: Final = "4h"
_FIRST, _LAST = Month(2017, 8), Month(2025, 12)
_MINUTE_S: Final = 60
_LATENCY_S: Final = 0.05


class _Exchange(FakeBinance):
    """Remembers what was used of each minute."""

    def __init__(self) -> None:
        super().__init__(clock=Clock(), usdt_pairs=_PAIRS, latency_s=_LATENCY_S, weight_limit=LIMIT)
        self.used: Counter[int] = Counter()

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        if answer.status == 200:
            minute = self.clock.now_ms() // (1000 * _MINUTE_S)
            self.used[minute] = max(self.used[minute], int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
        return answer


def measure(effort: Effort) -> list[Row]:
    """One row: weight a minute, the mean of two whole minutes after the one the fill began in."""
    minutes = 2 if effort is FULL else 1
    with TemporaryDirectory(prefix="datahub-bench-") as name, _Exchange() as exchange:
        home = Path(name)
        (home / "empty").mkdir()
        with archive(home / "empty", log=home / "archive.log") as nothing, hub_at(home / "home") as of_hub:
            settings = {"BINANCE_BASE_URLS": exchange.url, "DATAHUB_DATASETS": "ohlc", **nothing.settings, **of_hub}
            pairs = sorted(symbol for symbol in exchange.listings if symbol.endswith("USDT"))
            argv = fill_command(_FIRST, _LAST, _INTERVAL, pairs)
            log = home / "fill.log"
            with running(
                argv, log=log, env=fill_environment(settings), ready=lambda: exchange.used.total() > 0
            ) as fill:
                first = int(time.time() // _MINUTE_S) + 1
                time.sleep((first + minutes) * _MINUTE_S - time.time())
                if fill.poll() is not None:
                    raise RuntimeError(f"the fill ended before: {log.read_text(encoding='utf-8')[-1000:]}")
    taken = [float(exchange.used[first + number]) for number in range(minutes)]
    ours = sum(taken) / minutes
    target = ratio_at_least(_SHARE)
    return [
        Row(
            work=f"request weight that history takes, of {LIMIT:,} a minute, {minutes} minutes",
            ours=ours,
            peer=float(LIMIT),
            peer_name="the limit",
            unit="/min",
            ratio=ours / LIMIT,
            target=target.text,
            met=target.reached(ours, ours / LIMIT),
            spread=spread(taken),
        )
    ]
