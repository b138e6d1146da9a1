"""What an upstream refuses for ever, since it is misspelt: named by status and doctor, with what was meant."""

import pytest

from datahub_assets.ops.commands.status import overview
from tests.ops.cli import datahub
from tests.ops.conftest import System

PORTS = {"DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}


def found(system: System, check: str) -> tuple[bool, str]:
    """What doctor says of one thing: whether it is well, and what it saw."""
    lines = datahub("doctor", env={**system.environ, **PORTS}).output.splitlines()
    (line,) = [line for line in lines if line[6:].startswith(f"{check}: ")]
    return line.startswith("ok"), line[6:].removeprefix(f"{check}: ")


@pytest.mark.parametrize("symbols", ["BTCUSDT,ETHUSTD", "ETHUSTD"], ids=["among others", "alone"])
def test_a_misspelt_pair_is_named_with_the_nearest(system: System, symbols: str) -> None:
    system.environ["DATAHUB_SYMBOLS"] = symbols
    if symbols == "ETHUSTD":
        with pytest.raises(Exception, match="ETHUSTD: did you mean ETHUSDT"):
            system.tick()
    else:
        system.tick()
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    (line,) = [line for line in shown.output.splitlines() if "ETHUSTD" in line]
    assert line.startswith("ohlc: ")
    assert "delisted or misspelt" in line
    assert line.endswith("; ETHUSTD: did you mean ETHUSDT?")
    is_well, seen = found(system, "binance")
    assert not is_well
    assert seen == "Binance does not list ETHUSTD (DATAHUB_SYMBOLS); ETHUSTD: did you mean ETHUSDT?"


def test_a_misspelt_quote_is_named_with_the_nearest(system: System) -> None:
    system.environ["DATAHUB_SYMBOLS"] = "all:USTD"
    with pytest.raises(Exception, match="all:USTD: did you mean all:USDT"):
        system.tick()
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    assert "all:USTD: did you mean all:USDT?" in shown.output
    assert found(system, "binance") == (
        False,
        "Binance does not list all:USTD (DATAHUB_SYMBOLS); all:USTD: did you mean all:USDT?",
    )


def test_a_misspelt_coin_is_named_with_the_nearest(system: System) -> None:
    system.environ["DATAHUB_COINS"] = "bitcoin,etherium"
    system.tick()
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    (line,) = [line for line in shown.output.splitlines() if "etherium" in line]
    assert line.startswith("market: CoinGecko has no coin with the id etherium: ")
    assert line.endswith("; etherium: did you mean ethereum?")
    is_well, seen = found(system, "coingecko")
    assert not is_well
    assert "no coin with the id etherium (DATAHUB_COINS); etherium: did you mean ethereum?" in seen


def test_fewer_coins_than_asked_for_are_told_by_status_too(system: System) -> None:
    system.environ["DATAHUB_COINS"] = "400"
    system.tick()
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    assert "market: 300 of the 400 coins asked for (DATAHUB_COINS): CoinGecko has told of 300" in shown.output


def test_it_is_over_with_the_first_run_that_names_what_there_is(system: System) -> None:
    system.environ.update(DATAHUB_COINS="bitcoin,etherium", DATAHUB_SYMBOLS="BTCUSDT,ETHUSTD")
    system.tick()
    assert not overview(system.settings, now_ms=0).well
    system.environ.update(DATAHUB_COINS="bitcoin,ethereum", DATAHUB_SYMBOLS="BTCUSDT,ETHUSDT")
    system.tick()
    assert datahub("status", env=system.environ).exit_code == 0
    assert found(system, "binance")[0]
    assert found(system, "coingecko")[0]
