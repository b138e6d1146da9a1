"""Numbers as Binance writes them: as text, with eight decimals."""

import math
from typing import Final

DECIMALS: Final = 8
"""They give back what Binance wrote for anything below 90 million."""


def decimal(value: float | None, *, places: int = DECIMALS) -> str | None:
    """A number as text; None for what is missing or no number."""
    return None if value is None or not math.isfinite(value) else f"{value:.{places}f}"
