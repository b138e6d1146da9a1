"""The settings table: what it reads, what it refuses, and that a secret never shows."""

from dataclasses import replace

import pytest
from pydantic import BaseModel, Field

from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.settings_base import DatasetSettings, env, fields_of, variables_of
from datahub_assets.domain.errors import DatasetInvalid, SettingsError
from datahub_assets.settings import HUGGING_FACE, OF_DATASETS, Settings
from datahub_assets.settings_faults import refuse_shared
from datahub_assets.settings_table import dataset_secrets, setting_rows


def test_defaults_need_no_account() -> None:
    settings = Settings.from_env({})
    assert settings.embedded_hub
    assert settings.hub_endpoint == "http://127.0.0.1:7870"
    candles = settings.of(CandleSettings)
    assert (settings.of(MarketSettings).coins, settings.tick_s, candles.history_candles) == (250, 60, 1000)
    assert candles.intervals == ("1h", "4h", "1d")
    assert len(candles.symbols) == 20
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
    ("variable", "value", "kind", "attribute", "expected"),
    [
        ("DATAHUB_COINS", "5", MarketSettings, "coins", 5),
        ("DATAHUB_COINS", "bitcoin, ethereum,bitcoin", MarketSettings, "coins", ("bitcoin", "ethereum")),
        ("DATAHUB_COINS", "1337,0x,3.5-coin", MarketSettings, "coins", ("1337", "0x", "3.5-coin")),
        ("DATAHUB_SYMBOLS", "all:USDT", CandleSettings, "symbols", ("all:USDT",)),
        ("DATAHUB_SYMBOLS", "BTCUSDT,0GUSDT", CandleSettings, "symbols", ("BTCUSDT", "0GUSDT")),
        ("DATAHUB_INTERVALS", "1m, 1h", CandleSettings, "intervals", ("1m", "1h")),
        ("BINANCE_BASE_URLS", "http://127.0.0.1:1/", CandleSettings, "binance_base_urls", ("http://127.0.0.1:1",)),
        ("USE_MOCK_DATA", "false", None, "use_mock_data", False),
        ("DATAHUB_ALLOWED_USERS", "ann,lab", None, "allowed_users", ("ann", "lab")),
    ],
)
def test_values_are_read(
    *, variable: str, value: str, kind: type[DatasetSettings] | None, attribute: str, expected: object
) -> None:
    settings = Settings.from_env({variable: value})
    assert getattr(settings if kind is None else settings.of(kind), attribute) == expected


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
        ("DATAHUB_SYMBOLS", "BTC USDT", "BTCUSDT"),
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
    kinds: list[type[BaseModel]] = [Settings, *OF_DATASETS]
    told = {tuple(variables_of(field)) for kind in kinds for field in fields_of(kind)}
    assert {tuple(row.variable.split(" / ")) for row in rows} == told
    assert len({row.variable for row in rows}) == len(rows), "what datasets share is told once"
    assert all(row.description and row.variable.isupper() for row in rows if "/" not in row.variable)


def test_the_settings_of_datasets_come_after_the_others_in_their_order() -> None:
    variables = [row.variable for row in setting_rows()]
    own = {variables.index(name) for name in ("HF_TOKEN / HF_API_TOKEN", "DATAHUB_RUN_LAUNCHER")}
    assert max(own) < variables.index("DATAHUB_COINS") < variables.index("DATAHUB_SYMBOLS")


def test_only_the_datasets_own_secrets_are_theirs() -> None:
    assert list(dataset_secrets()) == ["COINGECKO_API_KEY"]


class Greedy(DatasetSettings):
    """Reads variables of others."""

    wanted: str = Field("", validation_alias=env("FIELD_WANTED", "DATAHUB_HOME"), description="what is wanted")
    coins: str = Field("", validation_alias=env("DATAHUB_COINS"), description="coins to throw")


def test_a_variable_that_means_two_settings_is_refused() -> None:
    greedy = replace(MARKET, name="greedy", settings=Greedy)
    with pytest.raises(DatasetInvalid) as caught:
        refuse_shared(Settings, [*DATASETS.values(), greedy])
    advice = "give it another name in one of them"
    assert str(caught.value).splitlines() == [
        f"the variable DATAHUB_HOME is a setting of this project and of the dataset 'greedy': {advice}",
        f"the variable DATAHUB_COINS is a setting of the dataset 'market' and of the dataset 'greedy': {advice}",
    ]


def test_datasets_may_share_their_settings() -> None:
    refuse_shared(Settings, [*DATASETS.values(), replace(MARKET, name="another")])
