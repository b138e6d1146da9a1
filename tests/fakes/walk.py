"""Seeded price walks: a price for every instant of every asset, the same on every machine and in every process.

A sum of slow and fast waves plus hashed noise per unit of time, so that any stretch can be computed alone. No HTTP.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SCALE: Final = 100_000_000
"""Prices and volumes are whole numbers of this part, as the exchange prints eight decimals."""
_DAY_MS: Final = 86_400_000.0
_STEP_MS: Final = 5_000
_PERIODS_DAYS: Final = np.array([411.0, 37.0, 5.3, 0.71, 0.09])
_AMPLITUDES: Final = np.array([0.5, 0.2, 0.05, 0.015, 0.004])
_KNOWN_USD: Final = {
    "BTC": 64_000.0, "ETH": 3_300.0, "BNB": 600.0, "SOL": 150.0, "XRP": 0.6, "USDT": 1.0, "DOGE": 0.12, "ADA": 0.45,
    "TRX": 0.13, "AVAX": 35.0, "LINK": 15.0, "DOT": 7.0, "LTC": 80.0, "BCH": 450.0, "XLM": 0.11, "UNI": 8.0,
    "ATOM": 8.5, "NEAR": 5.5, "APT": 9.0, "FIL": 5.8, "ETC": 27.0, "SHIB": 0.0000267,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Units:
    """Consecutive units of time, one array per field; prices and volumes in `1 / SCALE`, times in ms."""

    open_time: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    quote_volume: Ints
    trades: Ints
    taker_volume: Ints
    taker_quote_volume: Ints

    def arrays(self) -> tuple[Ints, ...]:
        """The fields in order."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def where(self, chosen: "NDArray[np.bool_]") -> "Units":
        """Only the chosen units."""
        return Units(*(array[chosen] for array in self.arrays()))


@dataclass(frozen=True, slots=True)
class Walk:
    """The walk of one asset's price in US dollars."""

    seed: int
    base: float
    phases: Floats

    def price(self, times_ms: Floats) -> Floats:
        """Price at each of the times."""
        angles = 2 * np.pi * (times_ms[:, None] / (_PERIODS_DAYS * _DAY_MS)) + self.phases
        prices: Floats = self.base * np.exp((np.sin(angles) * _AMPLITUDES).sum(axis=1))
        return prices

    def price_at(self, time_ms: int) -> float:
        """Price at one instant."""
        return float(self.price(np.array([float(time_ms)]))[0])

    def units(self, first_ms: int, count: int, *, unit_ms: int) -> Units:
        """`count` complete units of time from `first_ms` on: each opens where the one before closed."""
        times = first_ms + unit_ms * np.arange(count + 1, dtype=np.int64)
        edges = _scaled(self.price(times.astype(np.float64)))
        # Copies: a trade changes a close, and must not change the next open with it.
        opens, closes, times = edges[:-1].copy(), edges[1:].copy(), times[:-1]
        up, down, activity, taker = (self._noise(times // unit_ms, salt=salt) for salt in range(4))
        highs = (np.maximum(opens, closes) * (1 + 0.004 * up)).astype(np.int64)
        lows = np.maximum(1, (np.minimum(opens, closes) * (1 - 0.004 * down)).astype(np.int64))
        turnover = 1e4 * max(1.0, self.base) * (0.2 + activity) * unit_ms / 3_600_000
        quote = _scaled(turnover)
        volume = _scaled(turnover / (closes / SCALE))
        share = 0.3 + 0.4 * taker
        trades = (10 + 5_000 * activity).astype(np.int64)
        return Units(
            times, opens, highs, lows, closes, volume, quote, trades,
            (volume * share).astype(np.int64), (quote * share).astype(np.int64),
        )  # fmt: skip

    def partial(self, unit: Units, *, elapsed_ms: int, unit_ms: int) -> Units:
        """The one unit in `unit` as it stood after `elapsed_ms`: within the complete one, and never shrinking."""
        start = int(unit.open_time[0])
        steps = start + np.arange(0, elapsed_ms + 1, _STEP_MS, dtype=np.int64)
        path = np.clip(_scaled(self.price(steps.astype(np.float64))), unit.low[0], unit.high[0])
        share = len(steps) * _STEP_MS / (unit_ms + _STEP_MS)
        grown = [(array * share).astype(np.int64) for array in unit.arrays()[5:]]
        high, low, close = path.max(keepdims=True), path.min(keepdims=True), path[-1:]
        return Units(unit.open_time, unit.open, np.maximum(high, unit.open), np.minimum(low, unit.open), close, *grown)

    def _noise(self, index: Ints, *, salt: int) -> Floats:
        """A number in [0, 1) per index (the splitmix64 finaliser on index, seed and salt)."""
        x = index.astype(np.uint64) + np.uint64((self.seed + salt * 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53


@cache
def walk(asset: str) -> Walk:
    """The walk of the asset with this ticker."""
    digest = hashlib.sha256(asset.encode()).digest()
    numbers = np.frombuffer(digest, dtype=np.uint32).astype(np.float64) / 2.0**32
    base = _KNOWN_USD.get(asset, float(10 ** (-3 + 5 * numbers[5])))
    return Walk(seed=int.from_bytes(digest[:8]), base=base, phases=2 * np.pi * numbers[:5])


def _scaled(values: Floats) -> Ints:
    return np.maximum(1, np.rint(values * SCALE)).astype(np.int64)
