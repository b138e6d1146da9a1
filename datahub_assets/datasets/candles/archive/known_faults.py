"""Months whose monthly files are known to be wrong, by what people found who compared them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from datahub_assets.domain.history import Month

_REPORT: Final = "https://github.com/binance/binance-public-data/issues/475"

WRONG_MONTHLY: Final[Mapping[Month, str]] = MappingProxyType(
    {
        Month(2020, 12): f"monthly files are known to be wrong about 2020-12-21 ({_REPORT}); not fetched",
        Month(2021, 9): f"monthly files are known to be wrong about 2021-09-29 ({_REPORT}); not fetched",
    }
)
"""Why the monthly files of a month are not used. Daily files and REST agreed, of ten pairs from 1m to 1h."""
