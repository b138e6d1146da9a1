"""The settings table: what it reads, what it refuses, and that a secret never shows."""

import pytest

from datahub_assets.domain.errors import SettingsError
from datahub_assets.settings import HUGGING_FACE, Settings, setting_rows


def test_defaults_need_no_account() -> None:
    settings = Settings.from_env({})
    assert settings.embedded_hub
    assert settings.hub_endpoint == "http://127.0.0.1:7870"
    assert (settings.coins, settings.tick_s, settings.history_candles) == (250, 60, 1000)
    assert settings.intervals == ("1h", "4h", "1d")
    assert len(settings.symbols) == 20
    assert (settings.api_port, settings.dagster_port, settings.localhub_port) == (7860, 3000, 7870)


@pytest.mark.parametrize("name", ["HF_TOKEN", "HF_API_TOKEN"])
def test_a_token_points_at_hugging_face(name: str) -> None:
    settings = Settings.from_env({name: "hf_secret"})
    assert not settings.embedded_hub
    assert settings.hub_endpoint == HUGGING_FACE
    assert settings.owner_token() == "hf_secret"
    assert "hf_secret" not in repr(settings)


def test_an_empty_value_counts_as_unset() -> None:
    assert Settings.from_env({"HF_TOKEN": "", "DATAHUB_COINS": " "}) == Settings.from_env({})


@pytest.mark.parametrize(
    ("variable", "value", "attribute", "expected"),
    [
        ("DATAHUB_COINS", "5", "coins", 5),
        ("DATAHUB_COINS", "bitcoin, ethereum,bitcoin", "coins", ("bitcoin", "ethereum")),
        ("DATAHUB_COINS", "1337,0x,3.5-coin", "coins", ("1337", "0x", "3.5-coin")),
        ("DATAHUB_SYMBOLS", "all:USDT", "symbols", "all:USDT"),
        ("DATAHUB_SYMBOLS", "BTCUSDT,0GUSDT", "symbols", ("BTCUSDT", "0GUSDT")),
        ("DATAHUB_INTERVALS", "1m, 1h", "intervals", ("1m", "1h")),
        ("BINANCE_BASE_URLS", "http://127.0.0.1:1/", "binance_base_urls", ("http://127.0.0.1:1",)),
        ("USE_MOCK_DATA", "false", "use_mock_data", False),
        ("DATAHUB_ALLOWED_USERS", "ann,lab", "allowed_users", ("ann", "lab")),
    ],
)
def test_values_are_read(variable: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(Settings.from_env({variable: value}), attribute) == expected


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("USE_MOCK_DATA", "true", "no mock data"),
        ("USE_MOCK_DATA", "1", "no mock data"),
        ("USE_MOCK_DATA", "maybe", "boolean"),
        ("DATAHUB_COINS", "0", "1 to 5000"),
        ("DATAHUB_COINS", "-3", "1 to 5000"),
        ("DATAHUB_COINS", "BTC!", "CoinGecko ids"),
        ("DATAHUB_COINS", "250.5", "whole number from 1 to 5000"),
        ("DATAHUB_COINS", "250.", "whole number from 1 to 5000"),
        ("DATAHUB_COINS", "1e3", "whole number from 1 to 5000"),
        ("DATAHUB_COINS", "bitcoin,0.5", "whole number from 1 to 5000"),
        ("DATAHUB_SYMBOLS", "btcusdt", "BTCUSDT"),
        ("DATAHUB_SYMBOLS", "all:", "all:USDT"),
        ("DATAHUB_INTERVALS", "1h,7h", "12h"),
        ("DATAHUB_INTERVALS", ",", "12h"),
        ("BINANCE_BASE_URLS", "ftp://host", "https://"),
        ("COINGECKO_BASE_URL", "http://user:pw@host", "without credentials"),
        ("HF_USERNAME", "../x", "account"),
        ("DATAHUB_API_PORT", "70000", "65535"),
        ("DATAHUB_TICK_S", "soon", "integer"),
        ("DATAHUB_RUN_LAUNCHER", "cold", "default"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_valid(variable: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable}={value!r}")
    assert hint in message


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"DATAHUB_COINS": "0", "DATAHUB_API_PORT": "0"})
    assert {line.split("=")[0] for line in str(caught.value).splitlines()} == {"DATAHUB_COINS", "DATAHUB_API_PORT"}


@pytest.mark.parametrize("name", ["HF_TOKEN", "COINGECKO_API_KEY", "DATAHUB_WEBHOOK_SECRET"])
def test_a_wrong_secret_is_never_shown(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: "hf_se cret"})
    assert "cret" not in str(caught.value).replace("secret", "")
    assert f"{name}=(hidden)" in str(caught.value)


def test_every_setting_has_a_row_with_words() -> None:
    rows = setting_rows()
    assert len(rows) == len(Settings.model_fields)
    assert all(row.description and row.variable.isupper() for row in rows if "/" not in row.variable)
