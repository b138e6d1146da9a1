"""Settings of the dataset of prices."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import Secret, Url, words

_MOST_COINS: Final = 5000
_COIN_ID: Final = re.compile(r"[^\sA-Z,;'\"<>/\\]{1,100}")
"""Ids are mostly of small letters, digits and `-`, but there are `_`, `-3` and `boringdao-[old]` as well."""
_NO_WHOLE_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]*\.?[0-9]+e[0-9]+)")
"""What a person means as a number though a coin id may be spelt so; whole numbers are ids of coins, such as `1337`."""


def _coins(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        value = int(value)
    if isinstance(value, int) and 1 <= value <= _MOST_COINS:
        return value
    ids = words(value)
    if not isinstance(ids, tuple) or not ids or not all(_is_coin_id(str(word)) for word in ids):
        raise ValueError(
            f"must be a whole number from 1 to {_MOST_COINS}, or CoinGecko ids such as bitcoin,ethereum "
            "(one that is a number is written with a comma: 1337,)"
        )
    return ids


def _is_coin_id(word: str) -> bool:
    return _COIN_ID.fullmatch(word) is not None and _NO_WHOLE_NUMBER.fullmatch(word) is None


Coins = Annotated[int | tuple[str, ...], BeforeValidator(_coins)]
"""How many of the largest, or which by CoinGecko's ids."""


class MarketSettings(DatasetSettings):
    """Which coins, and where to ask for them."""

    coingecko_base_url: Url = Field(
        "https://api.coingecko.com/api/v3",
        validation_alias=env("COINGECKO_BASE_URL"),
        description="CoinGecko's API, version included",
    )
    coingecko_api_key: Secret | None = Field(
        None,
        validation_alias=env("COINGECKO_API_KEY"),
        description="demo or pro key; not needed (a demo key's monthly quota does not last for a call a minute)",
    )
    coins: Coins = Field(
        250,
        validation_alias=env("DATAHUB_COINS"),
        description="top N coins by market cap (1–5000), or a comma-separated list of CoinGecko ids",
    )
