"""The settings of history."""

import pytest

from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.errors import SettingsError
from datahub_assets.domain.history import Month
from datahub_assets.settings import Settings


def of(**variables: str) -> CandleSettings:
    return Settings.from_env(variables).of(CandleSettings)


def test_history_begins_nowhere_unless_somebody_says_so() -> None:
    assert (of().history_from, of(DATAHUB_HISTORY_FROM="").history_from) == (None, None)
    assert of(DATAHUB_HISTORY_FROM="2017-08").history_from == Month(2017, 8)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DATAHUB_HISTORY_FROM", "2017", "write 2024-11"),
        ("DATAHUB_HISTORY_FROM", "2017-13", "write 2024-11"),
        ("BINANCE_ARCHIVE_URL", "data.binance.vision", "http:// or https:// URL"),
        ("BINANCE_ARCHIVE_LIST_URL", "https://a/?b=c", "plain URL"),
    ],
)
def test_what_cannot_be_used_is_refused(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=rf"(?s){variable}.*{message}"):
        of(**{variable: value})
