"""What happens to an installation in the course of a day: seeded troubles of upstreams and Hub, each for some ticks.

Also the market's own surprises: late trades that correct a closed candle, and candles that are missing for a while.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.subjects.candles import SYMBOLS
from tests.faults.world import World

HOUR_MS = 3_600_000
_UPSTREAM_KINDS = (
    "rate_limited", "server_error", "region_blocked", "firewall", "truncated", "cut_json", "dropped", "html",
)  # fmt: skip
_CHANCE = 0.12
_SURPRISE_CHANCE = 0.04
_LONGEST_TICKS = 8


@dataclass
class Weather:
    """Decides before each tick what goes wrong in it.

    Attributes:
        met: how many troubles of each kind there were.
    """

    world: World
    seed: int
    met: dict[str, int] = field(default_factory=dict)
    _left: int = 0
    _hub_is_down: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - repeatable, no secret

    def tick_s(self) -> int:
        """Seconds until the next tick: a minute, mostly."""
        return self._chance.choice((60, 60, 120, 180))

    def change(self) -> None:
        """Let a trouble begin, go on or end."""
        if self._left:
            self._left -= 1
            if not self._left:
                self.clear()
        elif self._chance.random() < _CHANCE:
            self._begin()
        if self._chance.random() < _SURPRISE_CHANCE:
            self._late_trade()

    def clear(self) -> None:
        """Everything is well again."""
        self._left = 0
        self.world.health()
        if self._hub_is_down:
            self.world.hub.start()
            self._hub_is_down = False

    def _begin(self) -> None:
        self._left = self._chance.randint(1, _LONGEST_TICKS)
        name, begin = self._chance.choice(self._troubles())
        self.met[name] = self.met.get(name, 0) + 1
        begin()

    def _troubles(self) -> list[tuple[str, Callable[[], None]]]:
        faults, world = self.world.hub.faults, self.world
        kind = self._chance.choice(_UPSTREAM_KINDS)
        symbol = self._chance.choice(SYMBOLS)
        return [
            (f"coingecko {kind}", lambda: world.coingecko.fail(kind, times=None)),
            (f"binance {kind}", lambda: world.binance.fail(kind, times=None)),
            (f"one pair {kind}", lambda: world.binance.fail(kind, times=None, where={"symbol": symbol})),
            ("hub down", self._stop_hub),
            ("hub 429", lambda: faults.rate_limit(retry_after_s=90, times=2)),
            ("hub 409", lambda: faults.conflict_on_commit(times=3)),
            ("hub 412", lambda: faults.race_commit(times=3)),
            ("hub 500 before", lambda: faults.answer(500, error="Internal Error", times=4)),
            ("hub 500 after", lambda: faults.fail_after_commit(times=3)),
            ("hub drops before", lambda: faults.drop_before(on="POST|PUT", times=5)),
            ("hub drops after", lambda: faults.drop_after(on="POST|PUT", times=5)),
        ]

    def _stop_hub(self) -> None:
        self.world.hub.stop()
        self._hub_is_down = True

    def _late_trade(self) -> None:
        """A trade booked to the candle before the forming one, or to that one."""
        self.met["late trade"] = self.met.get("late trade", 0) + 1
        self.world.binance.trade(
            self._chance.choice(SYMBOLS),
            factor=self._chance.uniform(0.98, 1.02),
            at_ms=self.world.clock.now_ms() - self._chance.choice((0, HOUR_MS)),
        )
