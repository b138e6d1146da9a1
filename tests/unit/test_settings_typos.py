"""Misspelt settings are told with what was meant."""

from datahub_assets.settings_table import setting_rows
from datahub_assets.settings_typos import unknown_settings


def test_every_setting_is_known() -> None:
    assert unknown_settings(name for row in setting_rows() for name in row.variable.split(" / ")) == []


def test_a_misspelt_setting_is_told_with_the_nearest() -> None:
    assert unknown_settings(["DATAHUB_SYMBOL", "PATH", "DATAHUB_COINS", "DATAHUB_QUX"]) == [
        "DATAHUB_QUX is no setting and changes nothing; `datahub settings` lists them",
        "DATAHUB_SYMBOL is no setting and changes nothing; did you mean DATAHUB_SYMBOLS?",
    ]
