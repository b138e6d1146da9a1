"""The datasets that take part in the matrix: one description each, and which of them live in one home.

subject                 what a description says
market  candles  listings  news  blocks  network
"""

from typing import Final

from tests.faults.subjects.blocks import BLOCKS
from tests.faults.subjects.candles import CANDLES
from tests.faults.subjects.listings import LISTINGS
from tests.faults.subjects.market import MARKET
from tests.faults.subjects.network import NETWORK
from tests.faults.subjects.news import NEWS
from tests.faults.subjects.subject import Subject

SUBJECTS: Final[dict[str, Subject]] = {one.spec.name: one for one in (MARKET, CANDLES, LISTINGS, NEWS, BLOCKS, NETWORK)}
PRICES: Final = ("market", "ohlc")
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "prices": PRICES,
    "listings": ("listings",),
    "news": ("market", "news"),  # news look coins up
    "chains": ("blocks", "network"),
}
"""Datasets that are collected together, in the order of their runs."""
