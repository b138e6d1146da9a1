"""Binance's two units of time: parameters in either, answers in the one the header asks for."""

import httpx
import pytest

from tests.api.conftest import Client
from tests.api.workers import NOW_MS

HOUR_MS = 3_600_000
KLINES = "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h"
MICROS = {"X-MBX-TIME-UNIT": "MICROSECOND"}
FIRST_MS = NOW_MS - 3 * HOUR_MS


def opens(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [candle[0] for candle in answer.json()]


@pytest.mark.parametrize("factor", [1, 1000])
def test_a_range_is_the_same_in_either_unit(client: Client, factor: int) -> None:
    found = opens(client.get(f"{KLINES}&startTime={FIRST_MS * factor}&endTime={(FIRST_MS + HOUR_MS) * factor}"))
    assert found == [FIRST_MS, FIRST_MS + HOUR_MS]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (FIRST_MS * 1000 + 1, None, [FIRST_MS + HOUR_MS, FIRST_MS + 2 * HOUR_MS, FIRST_MS + 3 * HOUR_MS]),
        (FIRST_MS * 1000 - 999, FIRST_MS * 1000, [FIRST_MS]),
        (FIRST_MS * 1000, (FIRST_MS + HOUR_MS) * 1000 - 1, [FIRST_MS]),
        (FIRST_MS, (FIRST_MS + HOUR_MS) * 1000, [FIRST_MS, FIRST_MS + HOUR_MS]),
    ],
)
def test_a_microsecond_decides(client: Client, start: int, end: int | None, expected: list[int]) -> None:
    assert opens(client.get(f"{KLINES}&startTime={start}{'' if end is None else f'&endTime={end}'}")) == expected


def test_answers_are_in_the_unit_that_is_asked_for_however_often(client: Client) -> None:
    url = f"{KLINES}&startTime={FIRST_MS}&limit=1"
    for _ in range(3):
        plain, micros = client.get(url), client.get(url, headers=MICROS)
        assert (plain.json()[0][0], plain.json()[0][6]) == (FIRST_MS, FIRST_MS + HOUR_MS - 1)
        assert (micros.json()[0][0], micros.json()[0][6]) == (FIRST_MS * 1000, (FIRST_MS + HOUR_MS) * 1000 - 1)
        assert plain.headers["etag"] != micros.headers["etag"]
        assert "X-MBX-TIME-UNIT" in micros.headers["vary"]
        assert plain.json()[0][1:6] == micros.json()[0][1:6]


@pytest.mark.parametrize(
    ("unit", "digits"), [("microsecond", 16), ("MICROSECOND", 16), ("millisecond", 13), (None, 13)]
)
def test_the_clock_is_too(client: Client, unit: str | None, digits: int) -> None:
    headers = {} if unit is None else {"X-MBX-TIME-UNIT": unit}
    for path in ("time", "exchangeInfo"):
        assert len(str(client.get(f"/binance/api/v3/{path}", headers=headers).json()["serverTime"])) == digits


def test_two_units_at_once_are_none(client: Client) -> None:
    twice = [("X-MBX-TIME-UNIT", "MICROSECOND"), ("X-MBX-TIME-UNIT", "MILLISECOND")]
    problem = client.get(KLINES, headers=[("Authorization", str(client.headers["authorization"])), *twice])
    assert problem.status_code == 400
    assert problem.json()["code"] in {-1101, -1130}, "a client may send them in two lines or in one"


@pytest.mark.parametrize("unit", ["NANOSECOND", "s", "1", "MICROSECOND,MILLISECOND"])
def test_another_unit_is_refused_also_after_an_answer(client: Client, unit: str) -> None:
    url = f"{KLINES}&limit=1"
    for _ in range(2):
        assert client.get(url).status_code == 200
        problem = client.get(url, headers={"X-MBX-TIME-UNIT": unit})
        assert (problem.status_code, problem.json()["code"]) == (400, -1130)
        assert "MICROSECOND" in problem.json()["msg"]
